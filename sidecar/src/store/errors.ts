import { codeOf } from "@hotbags/shared";
import Database from "better-sqlite3";

const { SqliteError } = Database;

/** The store can't be used as it is; the message says why and what the operator can do. */
export class StoreUnusableError extends Error {
  override readonly name = "StoreUnusableError";
  /** It can pass by itself, as a full disk does: to be tried again. Otherwise only a human can change it. */
  readonly passes: boolean;

  constructor(message: string, { passes }: { passes: boolean }) {
    super(message);
    this.passes = passes;
  }
}

const FOR_HUMANS = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ELOOP", "ENAMETOOLONG"]);

/** Whether the disk says that a folder or file is not this user's, or no such thing: time alone changes nothing. */
export function isForHumans(error: unknown): boolean {
  return FOR_HUMANS.has(codeOf(error));
}

/** Nothing can be written now; what was to be is not. It can be tried again when the outage is over. */
export class StoreUnwritableError extends Error {
  override readonly name = "StoreUnwritableError";

  /** `failure`: what could not be written, and why. */
  constructor(failure: string, options?: ErrorOptions) {
    super(`the database can't be written: ${failure}`, options);
  }
}

/** What helps against a damaged page. */
export const RESTORE = "The disk of the database may be failing: look at it, and restore a backup.";

/** Why something was given up, for the operator. */
export const DAMAGED = "a page of the database is damaged";

/** A file that a new message counts on is not here: it has to come again, before the message does. */
export class FileMissingError extends Error {
  override readonly name = "FileMissingError";
}

/** SQLite's codes of a damaged page, and PostgreSQL's (data_corrupted, index_corrupted). */
const DAMAGES = /^(SQLITE_(CORRUPT|IOERR|NOTADB)|XX00[12])/;

/** Whether a page or a row is damaged, as opposed to a statement that asks for something impossible. */
export function isDamage(error: unknown): boolean {
  if (error instanceof RowUnreadableError || error instanceof RowContradictedError) return true;
  return DAMAGES.test(codeOf(error));
}

/**
 * Whether it is the file that is damaged, so that time changes nothing: all that `isDamage` says, but for what a disk
 * does that is full or takes no writes for a while.
 */
export function isLastingDamage(error: unknown): boolean {
  return isDamage(error) && !/^SQLITE_IOERR_(?!READ|SHORT_READ|CORRUPTFS|DATA)/.test(codeOf(error));
}

/**
 * Whether a write can have failed by its own fault: an error of ours, or a constraint. What else SQLite says can be the
 * store's: a full disk, a lock, a page that can't be read.
 */
export function isOwnFault(error: unknown): boolean {
  return !(error instanceof SqliteError) || error.code.startsWith("SQLITE_CONSTRAINT");
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
 * A row that is there, but can't be read: a page of the database is damaged. Only that row is lost; whoever goes on
 * without it says so to the store.
 */
export class RowUnreadableError extends Error {
  override readonly name = "RowUnreadableError";
  /** Its key. */
  readonly row: number;

  /** `cause`: undefined where every page can be read, and what is there is no such row. */
  constructor(what: string, row: number, cause: unknown) {
    super(
      `${what} ${row} can't be read (${cause === undefined ? "a part of it is missing or makes no sense" : codeOf(cause)})`,
      {
        cause,
      },
    );
    this.row = row;
  }
}

/**
 * An index has handed out a row that is in another state than that index says: a bit of it is flipped, or the disk has
 * lost a write. What was to be written of it is not, and never would be.
 */
export class RowContradictedError extends Error {
  override readonly name = "RowContradictedError";

  constructor(what: string, row: number) {
    super(`${what} ${row} contradicts an index of the database: its state can't be written`);
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
