import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codeOf, failpoint, setUpDatabase, syncFolder } from "@hotbags/shared";
import Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import {
  type Arrival,
  type Begun,
  columnsOf,
  type MovedTable,
  MoveRefusedError,
  type MovingTarget,
  type Row,
  type Value,
  type Written,
} from "../../moving.ts";
import { explain, takeLock, unfinishedRestore } from "../database.ts";
import { migrations } from "../migrations/index.ts";
import { DATABASE_FILE, readMark, removeMark, writeMark } from "../moves.ts";
import { MovingRows } from "./rows.ts";
import { STOP_FIRST } from "./source.ts";

/** What is written, until it is whole. */
const PART_FILE = "bridge.moving.sqlite";

/** What SQLite puts beside a database. */
const BESIDES = ["-wal", "-shm", "-journal"];

const OF_A_MOVE = `
CREATE TABLE IF NOT EXISTS move_source (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, fingerprint TEXT NOT NULL,
  is_whole INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS move_progress (name TEXT PRIMARY KEY, rows INTEGER NOT NULL, after TEXT) STRICT;
`;

/**
 * A new store below `stateDir`, with its lock, to be moved to. Throws StoreUnusableError where a sidecar runs there, and
 * MoveRefusedError where there is a store already that was not moved away.
 */
export function openSqliteTarget(stateDir: string, clock: Clock): MovingTarget {
  const lock = takeLock(stateDir, STOP_FIRST);
  try {
    refuseOthers(stateDir);
    return new SqliteTarget(stateDir, clock, () => lock.close());
  } catch (error) {
    lock.close();
    throw error instanceof MoveRefusedError ? error : explain(error, join(stateDir, PART_FILE));
  }
}

/** Gives up what a move has left in this folder, or makes what was moved away the folder's store again. Returns which of both. */
export function undoMove(stateDir: string): "coming" | "gone" | null {
  const lock = takeLock(stateDir, STOP_FIRST);
  try {
    const coming = readMark(stateDir, "coming");
    if (coming?.isWhole)
      throw new MoveRefusedError(
        `all of the store is in ${stateDir} already, and no sidecar can begin on ${coming.other} any more: run \`hotbags migrate --back\` once more, which ends it`,
      );
    if (coming) {
      removePart(stateDir);
      removeMark(stateDir, "coming");
      return "coming";
    }
    if (readMark(stateDir, "gone") === null) return null;
    removeMark(stateDir, "gone");
    return "gone";
  } finally {
    lock.close();
  }
}

function refuseOthers(stateDir: string): void {
  const unfinished = unfinishedRestore(stateDir);
  if (unfinished !== null)
    throw new MoveRefusedError(`${unfinished}. Run \`hotbags restore\` once more, with --force.`);
  const isFree = readMark(stateDir, "coming") ?? readMark(stateDir, "gone");
  if (!isFree && existsSync(join(stateDir, DATABASE_FILE)))
    throw new MoveRefusedError(
      `there is a store in ${stateDir} that was not moved away, and two can't be made one: name another folder (--state-dir), or put ${DATABASE_FILE} somewhere else if nothing of it is needed`,
    );
}

function removePart(stateDir: string): void {
  for (const end of ["", ...BESIDES]) rmSync(join(stateDir, `${PART_FILE}${end}`), { force: true });
}

class SqliteTarget implements MovingTarget {
  readonly name: string;
  readonly #clock: Clock;
  readonly #unlock: () => void;
  #open: { db: Database.Database; rows: MovingRows } | null = null;

  constructor(stateDir: string, clock: Clock, unlock: () => void) {
    this.name = stateDir;
    this.#clock = clock;
    this.#unlock = unlock;
  }

  async begin(source: { name: string; fingerprint: string }): Promise<Begun> {
    const coming = readMark(this.name, "coming");
    if (coming?.isWhole) return { stage: "whole", written: new Map() };
    if (!coming)
      writeMark(this.name, "coming", {
        ...{ other: source.name, at: new Date(this.#clock.now()).toISOString(), isWhole: false },
      });
    const found = this.#db.prepare<[], { name: string; fingerprint: string; is_whole: number }>(
      "SELECT name, fingerprint, is_whole FROM move_source",
    );
    const known = found.get();
    if (known?.name !== source.name || known.fingerprint !== source.fingerprint) {
      await this.clear();
      // What the migrations count in a database that is new.
      this.#db.exec("DELETE FROM counters");
      this.#db.prepare("INSERT INTO move_source (id, name, fingerprint) VALUES (1, @name, @fingerprint)").run(source);
      return { stage: "copying", written: new Map() };
    }
    if (known.is_whole === 1) return { stage: "whole", written: new Map() };
    const rows = this.#db.prepare<[], { name: string; rows: number; after: string | null }>(
      "SELECT * FROM move_progress",
    );
    const written = rows
      .all()
      .map(({ name, rows, after }) => [name, { rows, after: after === null ? null : JSON.parse(after) }] as const);
    return { stage: "copying", written: new Map(written) };
  }

  async put(table: MovedTable, rows: readonly Row[], written: Written): Promise<void> {
    const db = this.#db;
    const put = insertInto(db, table);
    const note = db.prepare("INSERT OR REPLACE INTO move_progress VALUES (?, ?, ?)");
    this.#told(() =>
      db.transaction(() => {
        for (const row of rows) putOne(put, table, row);
        note.run(table.name, written.rows, written.after === null ? null : JSON.stringify(written.after));
        failpoint("move:before-commit");
      })(),
    );
    failpoint("move:after-commit");
  }

  async clear(): Promise<void> {
    this.#open?.db.close();
    this.#open = null;
    removePart(this.name);
  }

  async arrive({ provenNow, who, result }: Arrival, leave: () => Promise<void>): Promise<void> {
    if (!readMark(this.name, "coming")?.isWhole) {
      const db = this.#db;
      const now = Math.round(this.#clock.now());
      const isWhole = db.prepare("SELECT is_whole FROM move_source").pluck().get() === 1;
      this.#told(() =>
        db.transaction(() => {
          if (isWhole) return;
          db.prepare("INSERT OR REPLACE INTO proven_time VALUES (1, ?, ?)").run(Math.round(provenNow), now);
          db.prepare(
            "INSERT INTO audit (at, who, action, kind, subject, result) VALUES (?, ?, 'move the store', 'store', 0, ?)",
          ).run(now, who, result);
          db.exec("UPDATE move_source SET is_whole = 1");
        })(),
      );
      failpoint("move:whole");
      await leave();
      failpoint("move:left");
      const coming = readMark(this.name, "coming");
      if (coming) writeMark(this.name, "coming", { ...coming, isWhole: true });
    }
    failpoint("move:arriving");
    this.#place();
  }

  count = (table: MovedTable) => this.#rows.count(table);
  page = (table: MovedTable, after: Row | null) => this.#rows.page(table, after);
  ledger = () => this.#rows.ledger();
  provenNow = () => this.#rows.provenNow();

  async close(): Promise<void> {
    this.#open?.db.close();
    this.#unlock();
  }

  /** Each step can have been done before. */
  #place(): void {
    const at = (name: string) => join(this.name, name);
    if (existsSync(at(PART_FILE))) {
      const db = this.#db;
      db.exec("DROP TABLE IF EXISTS move_source; DROP TABLE IF EXISTS move_progress");
      // One file, to be moved.
      db.pragma("journal_mode = DELETE");
      db.close();
      this.#open = null;
      if (existsSync(at(DATABASE_FILE))) {
        const kept = mkdtempSync(at(`before-move-${new Date(this.#clock.now()).toISOString().replaceAll(":", "-")}-`));
        for (const end of [...BESIDES, ""])
          if (existsSync(at(`${DATABASE_FILE}${end}`)))
            renameSync(at(`${DATABASE_FILE}${end}`), join(kept, `${DATABASE_FILE}${end}`));
        syncFolder(kept);
      }
      failpoint("move:moved-away");
      renameSync(at(PART_FILE), at(DATABASE_FILE));
      syncFolder(this.name);
    }
    failpoint("move:moved-in");
    removeMark(this.name, "gone");
    removeMark(this.name, "coming");
  }

  get #db(): Database.Database {
    return this.#opened.db;
  }

  get #rows(): MovingRows {
    return this.#opened.rows;
  }

  get #opened() {
    this.#open ??= this.#told(() => {
      const file = join(this.name, PART_FILE);
      const db = new Database(file);
      chmodSync(file, 0o600);
      setUpDatabase(db, file, migrations);
      db.exec(OF_A_MOVE);
      return { db, rows: new MovingRows(db, this.#clock) };
    });
    return this.#open;
  }

  /** Throws StoreUnusableError with what to do where the disk is full or fails. */
  #told<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof MoveRefusedError ? error : explain(error, join(this.name, PART_FILE));
    }
  }
}

/** Throws MoveRefusedError of a row that can't be, and names it. */
function putOne(put: (row: Row) => void, table: MovedTable, row: Row): void {
  try {
    put(row);
  } catch (error) {
    if (!codeOf(error).startsWith("SQLITE_CONSTRAINT")) throw error;
    throw new MoveRefusedError(
      `${table.name} ${row.slice(0, table.key).join(" ")} can't be written (${codeOf(error)}): a page of the database may be damaged there. Restore its backup, and run this again. Nothing is lost`,
    );
  }
}

function insertInto(db: Database.Database, table: MovedTable): (row: Row) => void {
  if (table.name === "console_numbers") {
    const forget = db.prepare("DELETE FROM sqlite_sequence WHERE name = 'console_sessions'");
    const note = db.prepare<[Value]>("INSERT INTO sqlite_sequence (name, seq) VALUES ('console_sessions', ?)");
    return ([, last = 0]) => {
      forget.run();
      note.run(last);
    };
  }
  const names = columnsOf(table).map(([name]) => name);
  const put = db.prepare<Value[]>(
    `INSERT INTO ${table.name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
  );
  return (row) => void put.run(...row);
}
