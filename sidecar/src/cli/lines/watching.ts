import type { Argv } from "yargs";
import { showAudit } from "../audit.ts";
import { showStatus } from "../status.ts";
import type { Context } from "./context.ts";
import { common, FEW, limitIsFine } from "./options.ts";

/** `hotbags status`, `tail` and `audit`. */
export function watchLines(program: Argv, { asking, aside }: Context): Argv {
  return program
    .command(
      "status",
      "Are customers being answered?",
      (options) => common(options),
      asking((operator, _args, output) => showStatus(operator, output)),
    )
    .command(
      "tail",
      "Follow what happens: messages that come in and are delivered, replies that are sent",
      (options) =>
        common(options)
          .option("chat", { type: "string", requiresArg: true, describe: "Only of a customer's number, or a group" })
          .example("$0 tail --chat +15550001000", "What becomes of this customer's messages")
          .example("$0 tail --json | jq -c 'select(.what == \"dead\")'", "Dead letters, as they come about"),
      aside(async (args, output) => (await import("../tail.ts")).tail(args, output)),
    )
    .command(
      "audit",
      "Who looked at what, and changed what",
      (options) =>
        common(options)
          .option("since", { type: "string", requiresArg: true, describe: "2h, 30m, 7d ago, or a time" })
          .option("limit", { type: "number", requiresArg: true, default: FEW, describe: "At most so many" })
          .check(({ limit }) => limitIsFine(limit)),
      asking((operator, args, output) => showAudit(operator, args, output)),
    );
}
