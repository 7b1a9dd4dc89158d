import type { Argv } from "yargs";
import { readDatabase } from "../../settings.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { forgetCustomer } from "../forget.ts";
import type { Context } from "./context.ts";
import { common } from "./options.ts";

/** `hotbags forget`, `backup`, `restore` and `restored`. */
export function stateLines(program: Argv, { environment, asking, aside }: Context): Argv {
  return program
    .command(
      "forget <number>",
      "Delete all that there is of a customer who asks for that",
      (options) =>
        common(options)
          .positional("number", { type: "string", demandOption: true, describe: "Their number, such as +15550001000" })
          .option("dry-run", { type: "boolean", default: false, describe: "Only say what there is" })
          .option("including-waiting", {
            type: "boolean",
            default: false,
            describe: "Also what waits or is in doubt: nobody will answer it",
          })
          .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" })
          .example("$0 forget +15550001000 --dry-run", "What there is of this customer"),
      asking(
        (operator, args, output) => forgetCustomer(operator, args, output),
        ({ dryRun }) => !dryRun,
      ),
    )
    .command(
      "backup [file]",
      "Put all of the sidecar's state into one file, while it runs or not",
      (options) =>
        common(options)
          .positional("file", {
            type: "string",
            describe: "A file or a folder; by default a file named by the time, in this folder",
          })
          .option("force", { type: "boolean", default: false, describe: "A file that is there already is replaced" })
          .option("keep", {
            type: "number",
            requiresArg: true,
            describe: "Only so many of a folder's backups stay, the newest ones; then BACKUP_UPLOAD_COMMAND is run",
          })
          .option("keep-days", {
            type: "number",
            requiresArg: true,
            default: 30,
            describe: "With --keep: none stays for longer",
          })
          .option("made-at", {
            type: "string",
            requiresArg: true,
            describe: "The state is a copy that litestream has restored, as it was then: 2h, 30m ago, or a time",
          })
          // yargs' types know it by its name with the dash alone, which is stripped by then (strip-dashed).
          .check((args) => keepingIsFine(args.keep, Number(args["keepDays"])))
          .example("$0 backup /var/backups/hotbags", "A new file in that folder, which only its owner can read")
          .example("$0 backup /var/backups/hotbags --keep 14", "The same, as the nightly timer makes it")
          .epilogue("docs/backup.md says what is in it, and what a restore of an older backup means."),
      aside(async ({ keep, ...args }, output) => {
        mustBeEmbedded(environment, args.envFile);
        if (keep === undefined) return (await import("../backup.ts")).makeBackup(args, output);
        const { continueSeries } = await import("../backup-series.ts");
        const uploadCommand = environment["BACKUP_UPLOAD_COMMAND"];
        return continueSeries({ ...args, keep, folder: args.file ?? ".", uploadCommand }, output);
      }),
    )
    .command(
      "restore <file>",
      "Put the state of a backup in the place of what is there. The sidecar must be stopped",
      (options) =>
        common(options)
          .positional("file", { type: "string", demandOption: true, describe: "What `hotbags backup` has made" })
          .option("check", { type: "boolean", default: false, describe: "Only check the file" })
          .option("force", {
            type: "boolean",
            default: false,
            describe: "Over a state that is there: that is kept, in a folder beside it",
          })
          .option("lost-until", {
            type: "string",
            requiresArg: true,
            describe: "When the sidecar whose state is lost ran last: 2h, 30m ago, or a time. By default until now",
          })
          .example("$0 restore hotbags-20260301T120000Z.tar --check", "Whether it can be restored")
          .example("$0 restore hotbags-20260301T120000Z.tar --lost-until 2026-03-01T14:30", "The machine died then")
          .epilogue(
            "What may have been sent since the backup is in doubt afterwards: hotbags commands list --state in_doubt",
          ),
      aside(async (args, output) => {
        if (!args.check) mustBeEmbedded(environment, args.envFile);
        return (await import("../backup.ts")).restoreBackup(args, output);
      }),
    )
    .command(
      "restored",
      "Say that the PostgreSQL of BRIDGE_STORE was put back to an earlier time. All sidecars must be stopped",
      (options) =>
        common(options)
          .option("lost-until", {
            type: "string",
            requiresArg: true,
            describe: "When a sidecar worked last on what is lost: 2h, 30m ago, or a time. By default until now",
          })
          .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" })
          .example("$0 restored", "After a restore of the host's, or pg_restore, and before any sidecar is started")
          .epilogue(
            "What may have been sent since that time is in doubt afterwards: hotbags commands list --state in_doubt. docs/fleet.md has the steps.",
          ),
      aside(async (args, output) =>
        (await import("../restored.ts")).sayRestored(
          { ...args, database: readDatabase(environment, args.envFile) },
          output,
        ),
      ),
    );
}

/** A backup of this machine's folder has no message of a store that is elsewhere. Throws CliError. */
function mustBeEmbedded(environment: NodeJS.ProcessEnv, envFile: string | undefined): void {
  if (readDatabase(environment, envFile) === null) return;
  throw new CliError(
    EXIT.no,
    "this sidecar's store is the PostgreSQL of BRIDGE_STORE: it is backed up and restored by the tools of that, such as pg_dump and pg_restore, or by its host; after a restore, and before any sidecar is started: hotbags restored (docs/fleet.md). Where the nightly timer runs: systemctl disable --now hotbags-backup.timer",
  );
}

/** Throws CliError. */
function keepingIsFine(keep: number | undefined, keepDays: number): true {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 1;
  if (!isCount(keep ?? 1)) throw new CliError(EXIT.usage, "--keep is a whole number from 1 on");
  if (!isCount(keepDays)) throw new CliError(EXIT.usage, "--keep-days is a whole number from 1 on");
  return true;
}
