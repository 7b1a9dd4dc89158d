import type { Argv } from "yargs";
import { COMMAND_STATES } from "../../operator/schemas.ts";
import { listCommands, type Resolution, resolveCommands, showCommand } from "../commands.ts";
import { CliError, EXIT } from "../exit-code.ts";
import type { Context } from "./context.ts";
import { common, content, list } from "./options.ts";

/** `hotbags commands …`. */
export const commandLines =
  ({ asking }: Context) =>
  (program: Argv) =>
    program
      .command(
        "list",
        "Commands of Hot Bags, newest first",
        (options) => list(options, COMMAND_STATES),
        asking((operator, args, output) => listCommands(operator, args, output)),
      )
      .command(
        "show <id>",
        "One command, and what can be done with it",
        (options) =>
          content(
            common(options).positional("id", {
              type: "string",
              demandOption: true,
              describe: "Its number, or its command_id",
            }),
          ).example("$0 commands show 17", "By its number, as a list shows it"),
        asking(
          (operator, { id, content }, output) => showCommand(operator, id, content, output),
          // That somebody reads it is written down.
          ({ content }) => content,
        ),
      )
      .command(
        "resolve [ids..]",
        "Settle commands of which nobody knows whether they were sent",
        (options) =>
          common(options)
            .positional("ids", {
              type: "string",
              array: true,
              default: [] as string[],
              describe: "Numbers, or command_ids",
            })
            .option("all", { type: "boolean", default: false, describe: "All that are in doubt" })
            .option("chat", {
              type: "string",
              requiresArg: true,
              describe: "With --all: of a customer's number, or a group",
            })
            .option("since", {
              type: "string",
              requiresArg: true,
              describe: "With --all: come back since 2h, 7d ago, or a time",
            })
            .option("sent", { type: "boolean", describe: "The customer has it" })
            .option("resend", { type: "boolean", describe: "Send it once more: it can come twice" })
            .option("discard", { type: "boolean", describe: "Never send it" })
            .option("dry-run", { type: "boolean", default: false, describe: "Only show what would be settled" })
            .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" }),
        asking(
          (operator, args, output) => resolveCommands(operator, args, resolutionOf(args), output),
          ({ dryRun }) => !dryRun,
        ),
      )
      .example("$0 commands list --state in_doubt", "Replies that may have been sent, or not")
      .example("$0 commands resolve 17 --sent", "The customer has it: the phone shows it")
      .example("$0 commands resolve --all --resend --dry-run", "What would be sent once more, as after a restore")
      .demandCommand(1, "say what to do with them: list, show or resolve");

/** Throws CliError. */
function resolutionOf(args: {
  sent?: boolean | undefined;
  resend?: boolean | undefined;
  discard?: boolean | undefined;
}): Resolution {
  const said = (["sent", "resend", "discard"] as const).filter((as) => args[as]);
  const [first, ...others] = said;
  if (!first)
    throw new CliError(
      EXIT.usage,
      "say one of --sent, --resend and --discard; hotbags commands show <id> explains them",
    );
  if (others.length > 0)
    throw new CliError(EXIT.usage, `--${said.join(" and --")}: say only one; hotbags commands show <id> explains them`);
  return first;
}
