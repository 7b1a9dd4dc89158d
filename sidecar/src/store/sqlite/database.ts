import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { codeOf, DatabaseRefusedError, setUpDatabase } from "@hotbags/shared";
import Database from "better-sqlite3";
import { isForHumans, StoreUnusableError } from "../errors.ts";
import { migrations } from "./migrations/index.ts";
import { DATABASE_FILE, refuseMoved } from "./moves.ts";
import { isReplicated, REPLICATED_CHECKPOINT_PAGES } from "./replication.ts";

const LOCK_FILE = "bridge.lock";

/** It is there from the beginning of a restore's last step to its end: half of a state is none. */
export const UNFINISHED_RESTORE = "restore.unfinished";

export interface OpenDatabase {
  db: Database.Database;
  close(): void;
}

/**
 * Opens the one database of the sidecar below `stateDir`, makes it if need be, and brings its schema up to date.
 * Throws StoreUnusableError when another process owns it, when it was written by a newer release, when it is damaged,
 * or when the folder can't be written.
 */
export function openDatabase(stateDir: string): OpenDatabase {
  const lock = takeLock(stateDir);
  const file = join(stateDir, DATABASE_FILE);
  try {
    refuseUnfinished(stateDir);
    refuseMoved(stateDir);
    const db = new Database(file);
    try {
      chmodSync(file, 0o600);
      // What is deleted is overwritten: a customer's words are not to be found in free pages. Before anything is written.
      db.pragma("secure_delete = ON");
      setUpDatabase(db, file, migrations);
      // The ledger, which every write counts in: any other page that can't be read is no reason to stay away.
      db.prepare("SELECT name, value FROM counters").all();
      // A lock that is somebody else's must not stop the event loop: what is to be written waits for it elsewhere.
      db.pragma("busy_timeout = 0");
      if (isReplicated(file)) db.pragma(`wal_autocheckpoint = ${REPLICATED_CHECKPOINT_PAGES}`);
    } catch (error) {
      db.close();
      throw error;
    }
    return {
      db,
      close() {
        db.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw explain(error, file);
  }
}

/**
 * Opens the database for looking at it, whether a sidecar runs on it or not. Throws StoreUnusableError when there is none,
 * when it has another release's schema, or, unless `isMoved`, when what is there was moved away.
 */
export function openForReading(stateDir: string, isMoved = false): Database.Database {
  refuseUnfinished(stateDir);
  if (!isMoved) refuseMoved(stateDir);
  const file = join(stateDir, DATABASE_FILE);
  if (!existsSync(file))
    throw new StoreUnusableError(
      `there is no database in ${stateDir}: a sidecar was never started there (hotbags doctor says what it needs), its BRIDGE_STATE_DIR is another, or it runs on PostgreSQL, and this command was not told its BRIDGE_STORE`,
      { passes: true },
    );
  try {
    const db = new Database(file, { readonly: true });
    const version = db.pragma("user_version", { simple: true });
    if (version === migrations.length) return db;
    db.close();
    throw new StoreUnusableError(
      `${file} is of another release (schema ${version}, this one has ${migrations.length}): use the hotbags command of that one, or start this sidecar on it.`,
      { passes: false },
    );
  } catch (error) {
    throw explain(error, file);
  }
}

function refuseUnfinished(stateDir: string): void {
  const unfinished = unfinishedRestore(stateDir);
  if (unfinished === null) return;
  throw new StoreUnusableError(`${unfinished}. Run \`hotbags restore\` once more, with --force.`, { passes: true });
}

/** That a restore was cut off, as the beginning of a sentence; null: none was. */
export function unfinishedRestore(stateDir: string): string | null {
  const mark = join(stateDir, UNFINISHED_RESTORE);
  if (!existsSync(mark)) return null;
  const kept = readFileSync(mark, "utf8").trim().replaceAll("\n", " and ");
  return `a restore of a backup was cut off in ${stateDir}; what was there before is below it, in ${kept}`;
}

const TWO_SIDECARS =
  "another sidecar. Two on one state would send replies twice: stop the other one, or give this one its own BRIDGE_STATE_DIR.";

/**
 * An exclusive SQLite transaction on a file of its own, held for as long as the process lives: the kernel releases it with the
 * process, so a crash never leaves a stale lock. It is not on the database itself, so that that stays readable for the operator's tools.
 * `isInUse`: by whom, and what to do then.
 */
export function takeLock(stateDir: string, isInUse = TWO_SIDECARS): Database.Database {
  const file = join(stateDir, LOCK_FILE);
  try {
    makeFolder(stateDir);
    // SQLite makes it for all to read, as releases before this one did.
    closeSync(openSync(file, "a", 0o600));
    if (statSync(file).uid === process.getuid?.()) chmodSync(file, 0o600);
    const lock = new Database(file, { timeout: 0 });
    try {
      lock.exec("BEGIN EXCLUSIVE");
      return lock;
    } catch (error) {
      lock.close();
      throw error;
    }
  } catch (error) {
    if (codeOf(error).startsWith("SQLITE_BUSY")) {
      throw new StoreUnusableError(`${stateDir} is in use by ${isInUse}`, { passes: true });
    }
    throw explain(error, file);
  }
}

/** Where the folder is not there and this user can't make it, it may be on a disk that is not mounted yet. */
function makeFolder(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = codeOf(error);
    if (existsSync(stateDir) || !["EACCES", "EPERM", "EROFS", "ENOENT", "EEXIST"].includes(code)) throw error;
    throw new StoreUnusableError(
      `the folder ${stateDir} is not there, and this user can't make it (${code}): mount its disk, or make it, or set BRIDGE_STATE_DIR to another one.`,
      { passes: true },
    );
  }
  // SQLite says the same of every reason. A file of another user's is what a start with sudo leaves behind.
  accessSync(stateDir, constants.R_OK | constants.W_OK | constants.X_OK);
  for (const name of [LOCK_FILE, DATABASE_FILE, `${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`]) {
    const path = join(stateDir, name);
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
  }
}

/** The StoreUnusableError of what SQLite or the disk says of a database, with what to do. */
export function explain(error: unknown, file: string): Error {
  if (error instanceof StoreUnusableError) return error;
  if (error instanceof DatabaseRefusedError) return new StoreUnusableError(error.message, { passes: false });
  const code = codeOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) {
    return new StoreUnusableError(
      `${file} is damaged (${detail}). Nothing was changed. Move the file away and restore a backup; the messages that the plugin still has are sent again by themselves.`,
      { passes: false },
    );
  }
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT")
    return new StoreUnusableError(`there is no room left on the disk of ${file} (${code}): make room.`, {
      passes: true,
    });
  if (code.startsWith("SQLITE_BUSY"))
    return new StoreUnusableError(`${file} is locked by another program (${code}): end that.`, { passes: true });
  if (code.startsWith("SQLITE_IOERR"))
    return new StoreUnusableError(
      `the disk of ${file} fails, or is full (${code}): see the system's log. If the file is lost, restore a backup; the messages that the plugin still has are sent again by themselves.`,
      { passes: true },
    );
  return new StoreUnusableError(
    `${file} can't be opened (${code || detail}): check that BRIDGE_STATE_DIR, and all that is in it, belongs to this user.`,
    { passes: !isForHumans(error) },
  );
}
