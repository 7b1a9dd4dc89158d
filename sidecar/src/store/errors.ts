import { codeOf } from "@hotbags/shared";

/** The store can't be used as it is; the message says why and what the operator can do. */
export class StoreUnusableError extends Error {
  override readonly name: string = "StoreUnusableError";
  /** It can pass by itself, as a full disk does: to be tried again. Otherwise only a human can change it. */
  readonly passes: boolean;

  constructor(message: string, { passes, cause }: { passes: boolean; cause?: unknown }) {
    super(message, { cause });
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

/** The database is away: nothing can be read or written there now. */
export class StoreAwayError extends Error {
  override readonly name: string = "StoreAwayError";
}

/**
 * What was to be changed is not this process's to change, for another one works on its account: nothing of it is written,
 * and nothing more is to be done about it here.
 */
export class NotOwnedError extends Error {
  override readonly name: string = "NotOwnedError";
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
