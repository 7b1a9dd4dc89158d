import type Database from "better-sqlite3";
import { type CounterName, NO_COUNTS } from "../counters.ts";

/**
 * Counts kept in the same transactions as what they count: `add` belongs inside a commit, and what was added is written
 * before its end, once a counter however many messages it is of.
 */
export class Counters {
  readonly #added = new Map<string, number>();
  readonly #add: Database.Statement<[string, number]>;
  readonly #one: Database.Statement<[string], { value: number }>;
  readonly #all: Database.Statement<[], { name: string; value: number }>;

  constructor(db: Database.Database) {
    this.#add = db.prepare(
      "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
    );
    this.#one = db.prepare("SELECT value FROM counters WHERE name = ?");
    this.#all = db.prepare("SELECT name, value FROM counters");
  }

  add(name: CounterName, by: number): void {
    this.#added.set(name, (this.#added.get(name) ?? 0) + by);
  }

  /** Writes what was added: the last that is done in a transaction. */
  write(): void {
    for (const [name, by] of this.#added) if (by !== 0) this.#add.run(name, by);
    this.#added.clear();
  }

  /** The transaction was taken back, and with it what was added. */
  takeBack(): void {
    this.#added.clear();
  }

  /** One of them, with what was added and is not written yet. */
  of(name: CounterName): number {
    return (this.#one.get(name)?.value ?? 0) + (this.#added.get(name) ?? 0);
  }

  /** All counters; one that never moved is 0. */
  read(): Record<CounterName, number> {
    const counts = { ...NO_COUNTS };
    for (const { name, value } of this.#all.all()) if (name in counts) counts[name as CounterName] = value;
    return counts;
  }
}
