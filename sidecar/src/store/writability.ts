import { type Backoff, backoffMs, MAX_FRAME_BYTES } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";

/** A time in which nothing can be written: a full disk, a foreign lock, a broken disk. */
export interface Outage {
  /** What could not be written, and SQLite's words and code for why. */
  readonly failure: string;
  /** Wall-clock ms. */
  readonly since: number;
}

/** Waits between two probes. */
const BACKOFF: Backoff = { baseMs: 250, maxMs: 15_000 };

/** What a probe writes: as much as the largest message takes. A smaller one could find room where that does not. */
const PROBE_BYTES = MAX_FRAME_BYTES;

/** For so long, ms, a probe that went well answers for the next one too: a damaged page can make a hundred writes fail at once. */
const PROVEN_FOR_MS = 1_000;

/**
 * Whether the database takes writes. Once one has failed for no reason of its own, a write of the store's own, a probe, tells whether the store is at
 * fault; if it is, there is an outage until a probe goes well. Probes wait longer and longer.
 */
export class Writability {
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #fill: Database.Statement<[number]>;
  readonly #empty: Database.Statement<[]>;
  readonly #listeners = new Set<(outage: Outage | null) => void>();
  #outage: Outage | null = null;
  #provenAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(db: Database.Database, clock: Clock, backoff = BACKOFF) {
    this.#clock = clock;
    this.#backoff = backoff;
    this.#fill = db.prepare("INSERT OR REPLACE INTO probe (id, filler) VALUES (1, zeroblob(?))");
    this.#empty = db.prepare("DELETE FROM probe");
  }

  /** Null while writes are taken. */
  get outage(): Outage | null {
    return this.#outage;
  }

  /** Told of the beginning of an outage, and with null of its end. Returns how to stop that. */
  onChange(listener: (outage: Outage | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A write failed, and it is not plain that it was its own fault. Returns whether the store takes writes all the same; if not, this begins an outage. */
  check(failure: string): boolean {
    if (this.#outage || this.#closed) return false;
    if (this.#clock.uptimeMs() - this.#provenAt < PROVEN_FOR_MS || this.#probe()) return true;
    this.#failures = 0;
    this.#schedule();
    this.#change({ failure, since: this.#clock.now() });
    return false;
  }

  /** Probes no more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#failures += 1;
    const look = () => (this.#probe() ? this.#change(null) : this.#schedule());
    this.#timer = setTimeout(look, backoffMs(this.#backoff, this.#failures));
  }

  #probe(): boolean {
    try {
      this.#fill.run(PROBE_BYTES);
      this.#empty.run();
      this.#provenAt = this.#clock.uptimeMs();
      return true;
    } catch {
      return false;
    }
  }

  #change(outage: Outage | null): void {
    this.#outage = outage;
    for (const listener of [...this.#listeners]) listener(outage);
  }
}
