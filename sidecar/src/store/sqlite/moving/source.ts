import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import { MoveRefusedError, type MovingSource } from "../../moving.ts";
import { explain, openForReading, takeLock } from "../database.ts";
import { DATABASE_FILE, readMark, writeMark } from "../moves.ts";
import { mustBeWhole } from "../snapshot.ts";
import { MovingRows } from "./rows.ts";

/** Whoever holds the folder so. */
export const STOP_FIRST = "a sidecar that runs: stop it first (systemctl stop hotbags-sidecar).";

/**
 * The store below `stateDir`, with its lock, to be moved from there. All of its pages are looked at first. Throws
 * StoreUnusableError where a sidecar runs on it, it is of another release, or a page of it is damaged.
 */
export function openSqliteSource(stateDir: string, clock: Clock): MovingSource {
  const lock = takeLock(stateDir, STOP_FIRST);
  const file = join(stateDir, DATABASE_FILE);
  try {
    const gone = readMark(stateDir, "gone");
    // Says what is wrong with it, before anything of it is written.
    openForReading(stateDir, gone !== null).close();
    const db = new Database(file);
    try {
      db.pragma("wal_checkpoint(TRUNCATE)");
      mustBeWhole(
        db,
        `the database in ${stateDir} is damaged, and a copy of it would be too: restore a backup first (hotbags restore). Nothing was changed`,
      );
      db.pragma("query_only = ON");
      const began = fingerprintOf(file);
      const version = () => Number(db.pragma("data_version", { simple: true }));
      const openedAt = version();
      const rows = new MovingRows(db, clock);
      return {
        name: stateDir,
        count: (table) => rows.count(table),
        page: (table, after) => rows.page(table, after),
        ledger: () => rows.ledger(),
        provenNow: () => rows.provenNow(),
        async hold(to) {
          if (gone !== null && gone.other !== to)
            throw new MoveRefusedError(`the store of ${stateDir} was moved to ${gone.other} at ${gone.at}`);
          return began;
        },
        // All are in the folder, where both rooms look for them.
        bringFiles: async () => 0,
        async leave(to) {
          // Whoever takes no lock, as sqlite3 does, can have written to it all the same.
          if (version() !== openedAt || fingerprintOf(file) !== began)
            throw new MoveRefusedError(
              `${file} was changed while it was copied: end what works on it, and run this again, which begins anew`,
            );
          if (readMark(stateDir, "gone") === null)
            writeMark(stateDir, "gone", { other: to, at: new Date(clock.now()).toISOString(), isWhole: true });
        },
        async close() {
          db.close();
          lock.close();
        },
      };
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    lock.close();
    throw explain(error, file);
  }
}

/** Of a file whose log is empty: whatever is written to it changes this. */
function fingerprintOf(file: string): string {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true });
  const log = `${file}-wal`;
  return `${ino} ${size} ${mtimeNs} ${existsSync(log) ? statSync(log).size : 0}`;
}
