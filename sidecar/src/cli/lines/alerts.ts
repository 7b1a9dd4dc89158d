import type { Argv } from "yargs";
import { listAlerts, testAlerts } from "../alerts.ts";
import type { Context } from "./context.ts";
import { common, FEW, limitIsFine } from "./options.ts";

/** `hotbags alerts …`. */
export const alertLines =
  ({ asking, changing }: Context) =>
  (program: Argv) =>
    program
      .command(
        "list",
        "Alerts that last, and those that are over",
        (options) =>
          common(options)
            .option("limit", {
              type: "number",
              requiresArg: true,
              default: FEW,
              describe: "At most so many that are over",
            })
            .check(({ limit }) => limitIsFine(limit)),
        asking((operator, { limit }, output) => listAlerts(operator, limit, output)),
      )
      .command(
        "test",
        "Send a test every way that is set",
        (options) => common(options),
        changing(
          (operator, _args, output) => testAlerts(operator, output),
          "; hotbags doctor --test-alert sends one without it",
        ),
      )
      .example("$0 alerts test", "After a change of ALERT_WEBHOOK_URL or ALERT_COMMAND")
      .demandCommand(1, "say what to do with them: list or test");
