import type { Argv } from "yargs";
import { ROLES } from "../../operator/schemas.ts";
import { endConsoleSession, listConsoleSessions, makeConsoleLink } from "../console.ts";
import { CliError, EXIT } from "../exit-code.ts";
import type { Context } from "./context.ts";
import { common } from "./options.ts";

/** `hotbags console …`. */
export const consoleLines =
  ({ changing }: Context) =>
  (program: Argv) =>
    program
      .command(
        "$0",
        "Print a link to the console that can be used once, within 10 minutes",
        (options) =>
          common(options)
            .option("role", {
              choices: ROLES,
              requiresArg: true,
              default: "act" as const,
              describe: "What whoever opens it may do: look, or act as well",
            })
            .option("user", {
              type: "string",
              requiresArg: true,
              describe: "Whose it is, for the audit; by default yours",
            }),
        changing((operator, args, output) => makeConsoleLink(operator, args, output)),
      )
      .command(
        "sessions",
        "Who is logged in to the console",
        (options) => common(options),
        changing((operator, _args, output) => listConsoleSessions(operator, output)),
      )
      .command(
        "end <id>",
        "Log somebody out of the console, at once",
        (options) =>
          common(options).positional("id", {
            type: "string",
            demandOption: true,
            describe: "The session's number, as `hotbags console sessions` shows it",
          }),
        changing((operator, { id }, output) => endConsoleSession(operator, numberOf(id), output)),
      )
      .example("$0 console", "A link for yourself")
      .example("$0 console --role look --user anna", "A link for somebody who may not change anything")
      .epilogue("docs/console.md says how it is switched on, and how it is reached.");

/** Throws CliError. */
function numberOf(id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new CliError(EXIT.usage, `${id} is no number: hotbags console sessions shows them`);
  return Number(id);
}
