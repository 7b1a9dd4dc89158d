import { copyFileSync, linkSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "@hotbags/shared";
import Database from "better-sqlite3";
import { StoreUnusableError } from "../errors.ts";
import { MEDIA_FOLDER } from "../files.ts";
import { FileLostError, readFile } from "../read-file.ts";
import { openForReading } from "./database.ts";

/** Pages (of 4 KiB) that are copied at a time; in between it is told how far it is. */
const STEP_PAGES = 1_024;

/** How often a file that is named and not there is looked for in a later state of the database. */
const TRIES = 3;

/** A file of the store, by its name and size. */
export interface StoredFile {
  sha256: string;
  bytes: number;
}

/** A store as it was at one instant. */
export interface Snapshot {
  /** Wall-clock ms. All that was acknowledged before is in it. */
  takenAt: number;
  /** How many migrations its database has had. */
  schema: number;
  /** Attachments that the database names, each once, which are linked or copied. */
  files: StoredFile[];
  /** Attachments that it names, but that are not on the disk, or are damaged: their messages go without them. */
  lost: string[];
}

/** Told now and then how much of the database is copied, from 0 to 1. */
export type Progress = (part: number) => void;

interface SnapshotParts {
  stateDir: string;
  /** Where the copy of the database is made. */
  database: string;
  /** A new folder for the attachments, on the disk of `stateDir`: they are linked, so that nobody can sweep them meanwhile. */
  media: string;
  now(): number;
  progress: Progress;
}

/**
 * Makes a consistent copy of the store below `stateDir`, whether a sidecar works on it or not, and checks it. It is read
 * in one transaction: SQLite would begin its copy anew with each write of another process, and never come to an end
 * beside a busy sidecar. That one never waits for it. Rejects with StoreUnusableError.
 */
export async function takeSnapshot({ stateDir, database, media, now, progress }: SnapshotParts): Promise<Snapshot> {
  const db = openForReading(stateDir);
  try {
    mkdirSync(media, { mode: 0o700 });
    const { takenAt, files, lost } = fix(db, join(stateDir, MEDIA_FOLDER), media, now);
    await db.backup(database, {
      progress({ totalPages, remainingPages }) {
        progress(totalPages === 0 ? 0 : 1 - remainingPages / totalPages);
        return STEP_PAGES;
      },
    });
    const schema = checkCopy(database);
    const whole: StoredFile[] = [];
    for (const file of files) {
      if (await isWhole(media, file)) whole.push(file);
      else lost.push(file.sha256);
    }
    return { takenAt, schema, files: whole, lost: lost.sort() };
  } finally {
    db.close();
  }
}

/** Bytes of what a backup of the store below `stateDir` takes up at least. Throws StoreUnusableError. */
export function storeBytes(stateDir: string): { database: number; media: number } {
  const db = openForReading(stateDir);
  try {
    const page = Number(db.pragma("page_size", { simple: true }));
    const media = "SELECT coalesce(sum(bytes), 0) FROM (SELECT max(size_bytes) AS bytes FROM media GROUP BY sha256)";
    return {
      database: page * Number(db.pragma("page_count", { simple: true })),
      media: Number(db.prepare(media).pluck().get()),
    };
  } finally {
    db.close();
  }
}

/**
 * Begins a transaction that sees the database as it is now, and links the files that it names. The sidecar may sweep one
 * in between; then a later state of the database does not name it any more.
 */
function fix(db: Database.Database, from: string, to: string, now: () => number) {
  const named = db.prepare<[], StoredFile>(
    "SELECT sha256, max(size_bytes) AS bytes FROM media GROUP BY sha256 ORDER BY sha256",
  );
  for (let tries = 1; ; tries += 1) {
    const takenAt = now();
    db.exec("BEGIN");
    const all = named.all();
    const files = all.filter(({ sha256 }) => link(join(from, sha256), join(to, sha256)));
    const there = new Set(files);
    const lost = all.filter((file) => !there.has(file)).map(({ sha256 }) => sha256);
    if (lost.length === 0 || tries === TRIES) return { takenAt, files, lost };
    db.exec("COMMIT");
  }
}

/** False: it is not there. Throws what else the disk says. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return false;
    if (code === "EEXIST") return true;
    // A file system without links, or another one below the folder.
    copyFileSync(from, to);
  }
  return true;
}

/** Makes one file of the copy, without a log beside it. Returns its schema. Throws StoreUnusableError where it is damaged. */
function checkCopy(file: string): number {
  const copy = new Database(file);
  try {
    copy.pragma("journal_mode = DELETE");
    mustBeWhole(copy, "the database is damaged, and a copy of it is no backup");
    return Number(copy.pragma("user_version", { simple: true }));
  } finally {
    copy.close();
  }
}

/** Throws StoreUnusableError with `what` where a page or a row is damaged. */
export function mustBeWhole(db: Database.Database, what: string): void {
  let found: unknown;
  try {
    found = db.pragma("quick_check(1)", { simple: true });
  } catch (error) {
    found = codeOf(error);
  }
  if (found !== "ok") throw new StoreUnusableError(`${what} (${String(found)})`, { passes: false });
}

async function isWhole(folder: string, { sha256, bytes }: StoredFile): Promise<boolean> {
  try {
    for await (const _ of readFile(join(folder, sha256), bytes, sha256));
    return true;
  } catch (error) {
    if (error instanceof FileLostError) return false;
    throw error;
  }
}
