import { join } from "node:path";
import * as z from "zod";
import { readRecord, writeRecord } from "./record.ts";

/** What is known of the backups that are made by themselves. */
const lastBackup = z.object({
  /** When the last whole one was begun, ISO 8601; null: there was none. */
  made_at: z.iso.datetime().nullable(),
  file: z.string().nullable(),
  /** Whether it was brought off the machine; null: nothing is set for that. */
  uploaded: z.boolean().nullable(),
  /** Why the last one failed or is on this machine only, a sentence; null: all was well. */
  problem: z.string().nullable(),
});
export type LastBackup = z.output<typeof lastBackup>;

/** Null: none was ever made by itself. Never throws. */
export function readLastBackup(stateDir: string): LastBackup | null {
  return readRecord(pathIn(stateDir), lastBackup);
}

/** Never throws: a backup is not worse for it. */
export function noteBackup(stateDir: string, backup: LastBackup): void {
  writeRecord(pathIn(stateDir), backup);
}

function pathIn(stateDir: string): string {
  return join(stateDir, "last-backup.json");
}
