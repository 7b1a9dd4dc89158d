import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { readPragma, setUpDatabase } from "@hotbags/shared";
import { MIGRATIONS } from "./schema.ts";

/**
 * How long a statement may wait for another process (a backup) before it fails; the whole gateway stands still
 * meanwhile.
 */
const BUSY_TIMEOUT_MS = 250;

type Value = string | number | null;
export type Columns = Record<string, SQLOutputValue>;

/** The outbox's SQLite file. Every write is on disk when the call returns; everything may throw SQLite's error. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Opens or creates the file. Throws DatabaseRefusedError, or SQLite's error if the file or disk cannot be used. */
  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    try {
      setUpDatabase(this.#db, file, MIGRATIONS);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** SQLite's own word for how it syncs: 2 is FULL. */
  synchronous(): number {
    return readPragma(this.#db, "synchronous");
  }

  one(sql: string, ...values: Value[]): Columns | undefined {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: Value[]): Columns[] {
    return this.#statement(sql).all(...values);
  }

  /** The number of rows that were changed. */
  run(sql: string, ...values: Value[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** All or nothing, with the write lock held from the beginning. */
  transaction<Result>(run: () => Result): Result {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      // A full disk may have rolled back already; then ROLLBACK itself would throw and hide the reason.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
