import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import { type PARKED_COMMANDS, type ParkedOptions, runParked } from "./parked-commands.ts";
import { reportStatus } from "./status-report.ts";
import { statusTable } from "./status-table.ts";

const DESCRIPTION = "Look at the Hot Bags bridge";
const CODES = "\nExit codes: 0 done; 1 done, and the answer is no (not found, refused); 2 the command line is wrong.";

/** Adds `openclaw hotbags`. `stateDir` is called when a command runs: while OpenClaw reads metadata it has none. */
export function registerCommands(api: OpenClawPluginApi, stateDir: () => string): void {
  const run = async (name: keyof typeof PARKED_COMMANDS, ids: readonly string[], options: ParkedOptions) => {
    process.exitCode = await runParked(name, stateDir(), { ...options, ids });
  };
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
      const parked = hotbags
        .command("parked")
        .description("Messages that the sidecar does not take, or that are none: look at them, and deal with them")
        .addHelpText(
          "after",
          `\nExamples:\n  openclaw hotbags parked list\n  openclaw hotbags parked show 3 --content\n  openclaw hotbags parked retry --all --yes\n${CODES}`,
        );
      parked
        .command("list")
        .description("Those there are, the newest first")
        .option("--json", "for scripts")
        .action((options: ParkedOptions) => run("list", [], options));
      parked
        .command("show <id>")
        .description("One of them, by its number or WhatsApp's id, and what can be done with it")
        .option("--content", "with what was said in it and the whole number; this is noted in the audit")
        .option("--json", "for scripts")
        .action((id: string, options: ParkedOptions) => run("show", [id], options));
      for (const [name, what] of [
        ["retry", "Send them to the sidecar again, with their own keys"],
        ["discard", "Be done with them: their texts and files are deleted"],
      ] as const)
        parked
          .command(`${name} [ids...]`)
          .description(what)
          .option("--all", "all of them")
          .option("--yes", "nobody is asked")
          .option("--json", "for scripts")
          .action((ids: string[], options: ParkedOptions) => run(name, ids, options));
      hotbags
        .command("audit")
        .description("Who dealt with parked messages, and how")
        .option("--json", "for scripts")
        .action((options: ParkedOptions) => run("audit", [], options));
    },
    { descriptors: [{ name: "hotbags", description: DESCRIPTION, hasSubcommands: true }] },
  );
}
