import type Database from "better-sqlite3";
import type { AttemptRow } from "../messages.ts";

/** Attempts of a message that are kept: where it began to fail, and how it fails now. */
const KEPT_FIRST = 5;
const KEPT_LAST = 20;

/** The attempts of each message that failed: the first 5, the last 20, and how many there were. */
export class Attempts {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database) {
    this.#sql = prepare(db);
  }

  /** Belongs inside the commit of the failure. */
  note(seq: number, failed: Omit<AttemptRow, "attempt">): void {
    const attempt = this.countOf(seq) + 1;
    this.#sql.insert.run({ seq, attempt, ...failed });
    this.#sql.forget.run(seq, KEPT_FIRST, attempt - KEPT_LAST);
  }

  /** How many failed so far, those that are not kept any more included. */
  countOf(seq: number): number {
    return this.#sql.last.get(seq)?.attempt ?? 0;
  }

  /** What is kept of them, in order. */
  of(seq: number): AttemptRow[] {
    return this.#sql.all.all(seq);
  }
}

function prepare(db: Database.Database) {
  return {
    insert: db.prepare<[{ seq: number } & AttemptRow]>(
      `INSERT INTO attempts (seq, attempt, at, duration_ms, status, error)
       VALUES (@seq, @attempt, @at, @duration_ms, @status, @error)`,
    ),
    last: db.prepare<[number], { attempt: number }>(
      "SELECT attempt FROM attempts WHERE seq = ? ORDER BY attempt DESC LIMIT 1",
    ),
    forget: db.prepare<[number, number, number]>("DELETE FROM attempts WHERE seq = ? AND attempt > ? AND attempt <= ?"),
    all: db.prepare<[number], AttemptRow>(
      "SELECT attempt, at, duration_ms, status, error FROM attempts WHERE seq = ? ORDER BY attempt",
    ),
  };
}
