import type { Argv } from "yargs";
import { type Context, outputFor } from "./context.ts";
import { common } from "./options.ts";

/** `hotbags doctor`, `releases`, `relink` and `pair-check`. */
export function checkLines(program: Argv, { environment, end, changing, aside }: Context): Argv {
  return program
    .command(
      "doctor",
      "Is everything set up? For each thing that is not: what to do",
      (options) =>
        common(options)
          .option("test-alert", { type: "boolean", default: false, describe: "Send an alert, for a test" })
          .example("$0 doctor --env-file /etc/hotbags/sidecar.env", "Before the first start")
          .example("$0 doctor --test-alert", "Does an alert reach me?")
          .epilogue("Nothing is changed, and nothing is created at Hot Bags. Exit code 1: something is wrong."),
      async ({ json, stateDir, envFile, testAlert }) => {
        // As for serve: it needs most of the sidecar.
        const { doctor } = await import("../doctor.ts");
        const options = { environment, envFile, stateDir, testAlert };
        end(await doctor(options, outputFor(json)));
      },
    )
    .command(
      "releases",
      "Is there a newer release of the bridge, or of OpenClaw? Nothing is installed",
      (options) =>
        common(options)
          .option("tell", { type: "boolean", default: false, describe: "Send an alert, once of each newer release" })
          .example("$0 releases", "What is here, and what is the newest"),
      aside(async (args, output) => {
        const { showReleases } = await import("../releases.ts");
        return showReleases({ ...args, environment, envFile: args.envFile }, output);
      }),
    )
    .command(
      "relink [account]",
      "Link a WhatsApp account again that the phone has logged out",
      (options) =>
        common(options)
          .positional("account", { type: "string", describe: "Its name in OpenClaw; default: the one that needs it" })
          .option("qr", {
            type: "boolean",
            default: false,
            describe: "Show the code here. Who sees it can read the account's messages",
          })
          .option("for", {
            type: "string",
            requiresArg: true,
            default: "10m",
            describe: "How long to wait for the phone",
          })
          .example("$0 relink --qr", "Show the code in this terminal, and wait until it is scanned"),
      changing(async (operator, args, output) => {
        const { relink } = await import("../relink.ts");
        return relink(operator, args, output);
      }),
    )
    .command(
      "pair-check",
      "Follow a message from a phone to Hot Bags and back, such as after an upgrade",
      (options) =>
        common(options)
          .option("from", {
            type: "string",
            requiresArg: true,
            describe: "The number that writes; default: the first that does",
          })
          .option("for", { type: "string", requiresArg: true, default: "5m", describe: "How long to wait for it" })
          .example("$0 pair-check --from +15550001000", "Write from this phone, and see what becomes of it"),
      changing(async (operator, args, output) => {
        const { pairCheck } = await import("../pair-check.ts");
        return pairCheck(operator, args, output);
      }),
    );
}
