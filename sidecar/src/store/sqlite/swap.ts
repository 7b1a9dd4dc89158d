import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { failpoint, syncFolder } from "@hotbags/shared";
import Database from "better-sqlite3";
import { StoreUnusableError } from "../errors.ts";
import { MEDIA_FOLDER } from "../files.ts";
import { takeLock, UNFINISHED_RESTORE } from "./database.ts";
import { unlessDamaged } from "./faults.ts";
import { migrations } from "./migrations/index.ts";
import { DATABASE_FILE } from "./moves.ts";
import { litestreamFolderOf } from "./replication.ts";

/** What there is of a store besides its lock. The database comes last: it is what makes the others mean something. */
const PARTS = [`${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`, MEDIA_FOLDER, DATABASE_FILE];

/** A state folder that nobody works on, and nobody will until it is closed. */
export interface IdleState {
  /** There is a database, or a part of one. */
  readonly isUsed: boolean;
  /**
   * Puts the database and the attachments of the folder `from` in the place of what is there, and that into the folder
   * `kept`. Both are below the state folder. A crash in the middle keeps the sidecar from starting until it is done anew.
   */
  swap(from: string, kept: string): void;
  close(): void;
}

/** Takes hold of a state folder, and makes it if need be. Throws StoreUnusableError when a sidecar runs on it, or its database is of a newer release. */
export function holdState(stateDir: string): IdleState {
  const lock = takeLock(stateDir, "a sidecar that runs: stop it first (systemctl stop hotbags-sidecar).");
  try {
    refuseNewer(join(stateDir, DATABASE_FILE));
  } catch (error) {
    lock.close();
    throw error;
  }
  const at = (name: string) => join(stateDir, name);
  return {
    get isUsed() {
      return [UNFINISHED_RESTORE, ...PARTS].some((name) => name !== MEDIA_FOLDER && existsSync(at(name)));
    },
    swap(from, kept) {
      // One that was cut off before is named, too.
      appendFileSync(at(UNFINISHED_RESTORE), `${basename(kept)}\n`, { mode: 0o600, flush: true });
      mkdirSync(kept, { mode: 0o700 });
      syncFolder(stateDir);
      failpoint("swap:begun");
      // What litestream knows of it is of no use to another database, and it would go on from that.
      for (const name of [litestreamFolderOf(DATABASE_FILE), ...PARTS])
        if (existsSync(at(name))) renameSync(at(name), join(kept, name));
      failpoint("swap:moved-away");
      for (const name of [MEDIA_FOLDER, DATABASE_FILE]) renameSync(join(from, name), at(name));
      syncFolder(kept);
      syncFolder(stateDir);
      failpoint("swap:moved-in");
      rmSync(at(UNFINISHED_RESTORE));
      syncFolder(stateDir);
    },
    close: () => lock.close(),
  };
}

/** What a newer release has written must not be put aside by an older one, which knows nothing of it. */
function refuseNewer(file: string): void {
  if (!existsSync(file)) return;
  const version = unlessDamaged(
    () => {
      const db = new Database(file, { readonly: true });
      try {
        return Number(db.pragma("user_version", { simple: true }));
      } finally {
        db.close();
      }
    },
    () => 0,
  );
  if (version <= migrations.length) return;
  throw new StoreUnusableError(
    `${file} was written by a newer release (schema ${version}, this one knows ${migrations.length}): restore with that one. Nothing was changed.`,
    { passes: false },
  );
}
