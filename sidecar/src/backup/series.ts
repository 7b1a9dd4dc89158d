import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, isAlive, syncFolder } from "@hotbags/shared";

// Backups that are made by themselves: all in one folder, each named by its time.

const NAME = /^hotbags-\d{8}T\d{6}Z\.tar$/;
/** What a backup leaves that is killed; behind it is the process. */
const PART = /^hotbags-\d{8}T\d{6}Z\.tar\.part-(\d+)$/;

/** What of the environment is none of the operator's command's business: there may be secrets. */
const SECRET = /^(HOTBAGS|BRIDGE|OPENCLAW|ALERT)_|^CREDENTIALS_DIRECTORY$/;

const DAY_MS = 86_400_000;

/** The name of one that is made at this time, wall-clock ms. Names sort by time. */
export function nameFor(at: number): string {
  return `hotbags-${new Date(at).toISOString().replace(/[-:]|\.\d+/g, "")}.tar`;
}

/** How many are kept, and for how many days. */
export interface Keeping {
  keep: number;
  keepDays: number;
}

/**
 * Removes what is too old or too much, and what killed backups have left. `made`: the path of the one that was made just
 * now and is whole; whatever the others' names and times say, it stays. Resolves with the names of the removed backups.
 * Throws what the file system says.
 */
export function rotate(made: string, { keep, keepDays }: Keeping, now: number): string[] {
  const folder = dirname(made);
  const names = readdirSync(folder);
  for (const name of names) {
    const pid = PART.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { recursive: true, force: true });
  }
  const others = names.filter((name) => NAME.test(name) && name !== basename(made)).sort((a, b) => (a < b ? 1 : -1));
  const isOld = (name: string) => now - statSync(join(folder, name)).mtimeMs > keepDays * DAY_MS;
  const removed = others.filter((name, newer) => newer + 1 >= keep || isOld(name));
  for (const name of removed) rmSync(join(folder, name));
  syncFolder(folder);
  return removed;
}

/**
 * Runs the operator's command, `BACKUP_UPLOAD_COMMAND`, with the backup's path in `BACKUP_FILE`. What it prints is seen.
 * Resolves with why it failed, or null.
 */
export async function upload(command: string, file: string): Promise<string | null> {
  try {
    const others = Object.entries(process.env).filter(([name]) => !SECRET.test(name));
    const env = { ...Object.fromEntries(others), BACKUP_FILE: file };
    const child = spawn("/bin/sh", ["-c", command], { env, cwd: "/", stdio: ["ignore", "inherit", "inherit"] });
    const [code, signal] = await once(child, "exit");
    return code === 0 ? null : `BACKUP_UPLOAD_COMMAND ended with ${signal ?? `code ${code}`}`;
  } catch (error) {
    return `BACKUP_UPLOAD_COMMAND can't be run (${codeOf(error)})`;
  }
}
