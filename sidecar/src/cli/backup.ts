import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { codeOf, shownSize } from "@hotbags/shared";
import { ArchiveDamagedError, type Manifest } from "../backup/archive.ts";
import { type Backup, type BackupParts, BackupRefusedError, backUp, type Report } from "../backup/backup.ts";
import { checkBackup, restore } from "../backup/restore.ts";
import { nameFor } from "../backup/series.ts";
import { systemClock } from "../clock.ts";
import { holdState, StoreUnusableError } from "../store/index.ts";
import { connectSidecar, whoAmI } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { readSince } from "./list-options.ts";
import { count, type Output, say, shortTime, writeJson } from "./output.ts";
import { sayDoubted } from "./restored.ts";

/** How often it is said how far a long step is, ms. */
const PROGRESS_MS = 2_000;

/** `hotbags backup`. */
export async function makeBackup({ stateDir, file, force, madeAt }: BackupOptions, output: Output): Promise<number> {
  const parts = { stateDir, file: fileFor(file), force, now: systemClock.now, report: reporter(output) };
  const backup = madeAt === undefined ? backUp(parts) : backUpCopy(parts, madeAt);
  await showBackup(stateDir, await backup.catch(notMade), output);
  return EXIT.ok;
}

interface BackupOptions {
  stateDir: string;
  file?: string | undefined;
  force: boolean;
  madeAt?: string | undefined;
}

/** Of a state that is a copy of another one, as it was then: what a restore of it puts in doubt begins at that time. */
async function backUpCopy(parts: BackupParts, madeAt: string): Promise<Backup> {
  const now = systemClock.now();
  const then = Date.parse(readSince(madeAt, now));
  if (then > now) throw new CliError(EXIT.usage, "--made-at is a time that was");
  // One that a sidecar works on is of now.
  const state = holdState(parts.stateDir);
  try {
    return await backUp({ ...parts, now: () => then });
  } finally {
    state.close();
  }
}

/** Says what was made, here and in the audit. */
export async function showBackup(stateDir: string, backup: Backup, output: Output): Promise<void> {
  const { file, manifest, bytes } = backup;
  const { made_at, files, lost } = manifest;
  if (output.json) writeJson(output, { file, bytes, made_at, files: files.length, lost });
  else output.out.write(`${file}\n`);
  say(
    output,
    `${shownSize(bytes)}, with all until ${shortTime(made_at)} and ${count(files.length, "attachment")}; checked.`,
  );
  sayLost(manifest, output);
  await note(stateDir, bytes, output);
}

/** Who has a backup has every customer's words: the audit says who made one. It is made, whatever becomes of that. */
async function note(stateDir: string, bytes: number, output: Output): Promise<void> {
  try {
    const sidecar = await connectSidecar(stateDir);
    if (sidecar) await sidecar.ask("backedUp", { bytes });
    else say(output, "No line in the audit says so: no sidecar runs that could write it.");
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    say(output, `No line in the audit says so: ${error.message}.`);
  }
}

interface RestoreOptions {
  stateDir: string;
  file: string;
  check: boolean;
  force: boolean;
  lostUntil?: string | undefined;
}

/** `hotbags restore`. */
export async function restoreBackup(options: RestoreOptions, output: Output): Promise<number> {
  const { stateDir, check, force } = options;
  const file = resolve(options.file);
  if (!existsSync(file)) throw new CliError(EXIT.no, `there is no file ${file}`);
  if (check) return showCheck(await checkBackup(file).catch(refused), output);
  const now = systemClock.now();
  const lostUntil = options.lostUntil === undefined ? null : Date.parse(readSince(options.lostUntil, now));
  if (lostUntil !== null && lostUntil > now) throw new CliError(EXIT.usage, "--lost-until is a time that was");
  const parts = { stateDir, file, force, lostUntil, who: whoAmI(), now: systemClock.now };
  const { manifest, doubted, kept, ...restored } = await restore(parts).catch(refused);
  const { made_at } = manifest;
  const lost_until = new Date(restored.lostUntil).toISOString();
  const { commands, messages } = doubted;
  if (output.json)
    writeJson(output, { state_dir: stateDir, made_at, lost_until, in_doubt: commands, maybe_answered: messages, kept });
  say(output, `${stateDir} is as it was at ${shortTime(made_at)}.`);
  if (kept !== null) say(output, `What was there is in ${kept}.`);
  sayDoubted({ commands, messages, lost_until }, output);
  say(output, "Now start the sidecar (systemctl start hotbags-sidecar).");
  sayLost(manifest, output);
  return EXIT.ok;
}

function showCheck(manifest: Manifest, output: Output): number {
  const { made_at, version, files } = manifest;
  if (output.json) writeJson(output, { made_at, version, files: files.length, lost: manifest.lost });
  else say(output, `A whole backup of ${shortTime(made_at)}, with ${count(files.length, "attachment")}.`);
  sayLost(manifest, output);
  return EXIT.ok;
}

function sayLost({ lost }: Manifest, output: Output): void {
  if (lost.length === 0) return;
  say(output, `${count(lost.length, "attachment")} had been lost on the disk before: their messages go without.`);
}

/** In this folder, or the one that is named, a name that sorts by time. */
function fileFor(named: string | undefined): string {
  const path = resolve(named ?? ".");
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  return isFolder ? join(path, nameFor(systemClock.now())) : path;
}

/** What is long says how far it is; what is short says nothing. */
export function reporter(output: Output): Report {
  let saidAt = performance.now();
  return (step, part) => {
    if (performance.now() - saidAt < PROGRESS_MS) return;
    saidAt = performance.now();
    say(output, part > 0 ? `${step}: ${Math.round(part * 100)} %` : `${step} …`);
  };
}

/** What there is no database of has no answer either, as with every other command. Throws a CliError, or what it was given. */
export function notMade(error: unknown): never {
  if (error instanceof StoreUnusableError) throw new CliError(EXIT.unreachable, error.message);
  return refused(error);
}

/** Throws a CliError for what was refused with a sentence for the operator. */
function refused(error: unknown): never {
  const isForOperator = [BackupRefusedError, ArchiveDamagedError, StoreUnusableError].some(
    (kind) => error instanceof kind,
  );
  if (isForOperator) throw new CliError(EXIT.no, (error as Error).message);
  const code = codeOf(error);
  if (/^E[A-Z]+$/.test(code)) throw new CliError(EXIT.no, (error as Error).message);
  throw error;
}
