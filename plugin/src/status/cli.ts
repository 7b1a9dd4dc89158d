import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { reportStatus } from "./status-report.ts";
import { statusTable } from "./status-table.ts";

const DESCRIPTION = "Look at the Hot Bags bridge";

/** Adds `openclaw hotbags`. `stateDir` is called when a command runs: while OpenClaw reads metadata it has none. */
export function registerCommands(api: OpenClawPluginApi, stateDir: () => string): void {
  api.registerCli(
    ({ program }) => {
      const hotbags = program.command("hotbags").description(DESCRIPTION);
      hotbags
        .command("status")
        .description(
          "Link to the sidecar, waiting messages, last ack, the hook's own time. Exit code 1: messages do not flow",
        )
        .option("--json", "for scripts; times in ms since 1970, no texts, masked numbers")
        .action(async (options: { json?: boolean }) => {
          const report = await reportStatus(stateDir(), Date.now());
          process.stdout.write(options.json === true ? `${JSON.stringify(report, null, 2)}\n` : statusTable(report));
          process.exitCode = report.ok ? 0 : 1;
        });
    },
    { descriptors: [{ name: "hotbags", description: DESCRIPTION, hasSubcommands: true }] },
  );
}
