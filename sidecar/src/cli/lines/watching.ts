import type { Argv } from "yargs";
import { RANGES } from "../../operator/schemas.ts";
import { showAudit } from "../audit.ts";
import { showFigures } from "../figures.ts";
import { showFleet } from "../fleet.ts";
import { showStatus } from "../status.ts";
import type { Context } from "./context.ts";
import { common, FEW, limitIsFine } from "./options.ts";

/** `hotbags status`, `fleet`, `figures`, `tail` and `audit`. */
export function watchLines(program: Argv, { asking, aside }: Context): Argv {
  return program
    .command(
      "status",
      "Are customers being answered?",
      (options) => common(options),
      asking((operator, _args, output) => showStatus(operator, output)),
    )
    .command(
      "fleet",
      "Where sidecars share a store: which of them works on which account, and what waits there",
      (options) =>
        common(options).epilogue("docs/fleet.md says how they share it. Exit code 1: an account has no sidecar."),
      asking((operator, _args, output) => showFleet(operator, output)),
    )
    .command(
      "figures",
      "How many messages and replies passed, how long they took, and what failed",
      (options) =>
        common(options)
          .option("range", {
            choices: RANGES,
            requiresArg: true,
            default: "day" as const,
            describe: "Until now from so long ago",
          })
          .example("$0 figures --range week", "All that passed in the last seven days")
          .example("$0 figures --range hour --json", "Minute by minute, for a script")
          .epilogue("docs/figures.md says what is counted, and how exactly."),
      asking((operator, { range }, output) => showFigures(operator, range, output)),
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
