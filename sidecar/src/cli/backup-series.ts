import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { codeOf } from "@hotbags/shared";
import { backUp } from "../backup/backup.ts";
import { type Keeping, nameFor, rotate, upload } from "../backup/series.ts";
import { noteBackup, readLastBackup } from "../checks/last-backup.ts";
import { systemClock } from "../clock.ts";
import { notMade, reporter, showBackup } from "./backup.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, type Output, say } from "./output.ts";

interface SeriesOptions extends Keeping {
  stateDir: string;
  folder: string;
  /** `BACKUP_UPLOAD_COMMAND`; undefined: nothing brings it off the machine. */
  uploadCommand: string | undefined;
}

/**
 * `hotbags backup <folder> --keep`: one more of a series. What came of it is noted for `hotbags status` and the alert.
 * Nothing is removed where none could be made; a failed upload costs nothing that is here. Throws CliError.
 */
export async function continueSeries(options: SeriesOptions, output: Output): Promise<number> {
  const { stateDir, uploadCommand } = options;
  const folder = resolve(options.folder);
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new CliError(EXIT.usage, `--keep is for a folder of backups, and ${folder} is none`);
  const { now } = systemClock;
  const before = readLastBackup(stateDir) ?? { made_at: null, file: null, uploaded: null };
  const file = join(folder, nameFor(now()));
  const backup = await backUp({ stateDir, file, force: false, now, report: reporter(output) })
    .catch(notMade)
    .catch((error: unknown) => {
      const problem = error instanceof CliError ? error.message : "it failed: see its log";
      noteBackup(stateDir, { ...before, problem });
      throw error;
    });
  const { made_at } = backup.manifest;
  const note = (uploaded: boolean | null, problem: string | null) =>
    noteBackup(stateDir, { made_at, file, uploaded, problem });
  const cutOff = `${file} is whole, and on this machine only: bringing it off was cut off`;
  note(uploadCommand ? false : null, uploadCommand ? cutOff : null);
  const left = removeOlder(file, options, now(), output);
  await showBackup(stateDir, backup, output);
  const failure = uploadCommand ? await upload(uploadCommand, file) : null;
  const kept = failure && `${file} is whole, and on this machine only: ${failure}`;
  const problem = [kept, left].filter((sentence) => sentence !== null).join("; ") || null;
  note(uploadCommand ? failure === null : null, problem);
  if (problem !== null) throw new CliError(EXIT.no, problem);
  if (uploadCommand) say(output, "It was brought off the machine.");
  return EXIT.ok;
}

/** What is left of them costs room, and not the backup. Why they can't be removed; null where they were. */
function removeOlder(made: string, keeping: Keeping, now: number, output: Output): string | null {
  try {
    const removed = rotate(made, keeping, now);
    if (removed.length > 0) say(output, `${count(removed.length, "older backup")} removed.`);
    return null;
  } catch (error) {
    return `older backups can't be removed (${codeOf(error) || String(error)})`;
  }
}
