import Database from "better-sqlite3";
import { isDamage, RowUnreadableError } from "../errors.ts";

const { SqliteError } = Database;

/**
 * Whether a write can have failed by its own fault: an error of ours, or a constraint. What else SQLite says can be the
 * store's: a full disk, a lock, a page that can't be read.
 */
export function isOwnFault(error: unknown): boolean {
  return !(error instanceof SqliteError) || error.code.startsWith("SQLITE_CONSTRAINT");
}

/** Whether another program has a lock on the database. */
export function isLock(error: unknown): boolean {
  return error instanceof SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
}

/** Whether what was to be read as JSON is none: a flipped bit can make that of any. */
export function isMalformed(error: unknown): boolean {
  return error instanceof SqliteError && /malformed JSON/.test(error.message);
}

/** What went wrong, with SQLite's code for it. */
export function wordsOf(error: unknown): string {
  if (error instanceof SqliteError) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

/** What `read` gives or, where a page is damaged, what `otherwise` does. */
export function unlessDamaged<T>(read: () => T, otherwise: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isDamage(error)) return otherwise();
    throw error;
  }
}

/**
 * The same where `read` may be inside of a commit. SQLite takes back the whole transaction at some errors of the disk: that
 * is never hidden, or what is written behind it would be written without the rest.
 */
export function unlessDamagedWithin<T>(db: Database.Database, read: () => T, otherwise: () => T): T {
  const isInside = db.inTransaction;
  try {
    return read();
  } catch (error) {
    const isTakenBack = isInside && !db.inTransaction;
    if (isDamage(error) && !isTakenBack) return otherwise();
    throw error;
  }
}

/**
 * What `read` gives. Where a page is damaged, `find` names the row by an index alone, and the error is a
 * RowUnreadableError of it.
 */
export function readRow<T>(what: string, read: () => T, find: () => number | undefined): T {
  try {
    return read();
  } catch (error) {
    const row = isDamage(error) ? find() : undefined;
    throw row === undefined ? error : new RowUnreadableError(what, row, error);
  }
}

/**
 * What `read` gives of a row that `find` knows by an index; undefined where there is none. Throws RowUnreadableError also
 * where `read` finds no such row, or one that makes no sense.
 */
export function readListed<T>(what: string, read: () => T | undefined, find: () => number | undefined): T | undefined {
  const found = readRow(what, read, find);
  if (found !== undefined) return found;
  const row = find();
  if (row !== undefined) throw new RowUnreadableError(what, row, undefined);
  return undefined;
}
