import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { codeOf, DatabaseRefusedError, setUpDatabase } from "@hotbags/shared";
import Database from "better-sqlite3";
import { StoreUnusableError } from "./errors.ts";
import { migrations } from "./migrations/index.ts";

const FILE = "bridge.sqlite";
const LOCK_FILE = "bridge.lock";

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
  const file = join(stateDir, FILE);
  try {
    const db = new Database(file);
    try {
      chmodSync(file, 0o600);
      setUpDatabase(db, file, migrations);
      // The ledger, which every write counts in: any other page that can't be read is no reason to stay away.
      db.prepare("SELECT name, value FROM counters").all();
      // Nobody else has a business with the file: a lock that is somebody else's all the same must not stop the event loop.
      db.pragma("busy_timeout = 0");
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
 * An exclusive SQLite transaction on a file of its own, held for as long as the process lives: the kernel releases it with the
 * process, so a crash never leaves a stale lock. It is not on the database itself, so that that stays readable for the operator's tools.
 */
function takeLock(stateDir: string): Database.Database {
  const file = join(stateDir, LOCK_FILE);
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
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
      throw new StoreUnusableError(
        `${stateDir} is in use by another sidecar. Two on one state would send replies twice: stop the other one, or give this one its own BRIDGE_STATE_DIR.`,
      );
    }
    throw explain(error, file);
  }
}

function explain(error: unknown, file: string): Error {
  if (error instanceof StoreUnusableError) return error;
  if (error instanceof DatabaseRefusedError) return new StoreUnusableError(error.message);
  const code = codeOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) {
    return new StoreUnusableError(
      `${file} is damaged (${detail}). Nothing was changed. Move the file away and restore a backup; the messages that the plugin still has are sent again by themselves.`,
    );
  }
  if (code === "SQLITE_FULL" || code === "ENOSPC")
    return new StoreUnusableError(`no room left on the disk of ${file}: make room and start again`);
  if (code.startsWith("SQLITE_BUSY"))
    return new StoreUnusableError(`${file} is locked by another program (${code}): end that, and start again`);
  if (code.startsWith("SQLITE_IOERR"))
    return new StoreUnusableError(
      `the disk of ${file} fails, or is full (${code}): see the system's log. If the file is lost, restore a backup; the messages that the plugin still has are sent again by themselves.`,
    );
  return new StoreUnusableError(
    `${file} can't be opened (${code || detail}): check that BRIDGE_STATE_DIR exists and belongs to this user`,
  );
}
