import { type Backoff, backoffMs, MAX_FRAME_BYTES } from "@hotbags/shared";
import type Database from "better-sqlite3";
import { type Clock, systemTimers, type Timers } from "../../clock.ts";
import type { DamageRecord } from "../damage.ts";
import { isDamage, isLastingDamage } from "../errors.ts";
import type { Outage } from "../outage.ts";
import { isOwnFault, wordsOf } from "./faults.ts";

/** Waits between two probes. Each costs a few ms, and a customer may be waiting for the end of the outage. */
const BACKOFF: Backoff = { baseMs: 250, maxMs: 2_000 };

/** What a probe writes: as much as the largest message takes. A smaller one could find room where that does not. */
const PROBE_BYTES = MAX_FRAME_BYTES;

/** For so long, ms, a probe that went well answers for the next one too: a damaged page can make a hundred writes fail at once. */
const PROVEN_FOR_MS = 1_000;

interface WritabilityParts {
  db: Database.Database;
  clock: Clock;
  timers?: Timers;
  damage: DamageRecord;
  /** Does what a message needs of the database, and takes it back. Throws what stands in its way. */
  rehearse(): void;
  backoff?: Backoff;
}

/**
 * Whether the database does what every message needs of it. Once something has failed for no reason of its own, writes of
 * the store's own, a probe, tell whether the store is at fault; if it is, there is an outage until a probe goes well.
 * Damage that would hit the next message too is the store's: what hits all is waited out, and costs none of them.
 */
export class Writability {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #damage: DamageRecord;
  readonly #rehearse: () => void;
  readonly #backoff: Backoff;
  readonly #fill: Database.Statement<[number]>;
  readonly #empty: Database.Statement<[]>;
  readonly #listeners = new Set<(outage: Outage | null) => void>();
  #outage: Outage | null = null;
  #provenAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #callOff = () => {};
  #closed = false;

  constructor({ db, clock, timers = systemTimers, damage, rehearse, backoff = BACKOFF }: WritabilityParts) {
    this.#clock = clock;
    this.#timers = timers;
    this.#damage = damage;
    this.#rehearse = rehearse;
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

  /**
   * Something that was to be read or written, `what`, failed. Returns whether only that is at fault, and the store takes
   * all else; if not, this begins an outage. Not inside of a transaction.
   */
  check(what: string, error: unknown): boolean {
    if (this.#outage || this.#closed) return false;
    const failure = `${what}: ${wordsOf(error)}`;
    const isItsOwn = (isOwnFault(error) && !isDamage(error)) || this.#isProven();
    if (!isItsOwn) {
      this.#failures = 0;
      this.#schedule();
      this.#change({ failure, since: this.#clock.now(), isDamage: isLastingDamage(error), isAway: false });
    }
    if (isLastingDamage(error)) this.#damage.note(failure);
    return isItsOwn;
  }

  /** Probes no more. */
  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #isProven(): boolean {
    return this.#clock.uptimeMs() - this.#provenAt < PROVEN_FOR_MS || this.#probe();
  }

  #schedule(): void {
    this.#failures += 1;
    const look = () => (this.#probe() ? this.#change(null) : this.#schedule());
    this.#callOff = this.#timers.after(backoffMs(this.#backoff, this.#failures), look);
  }

  #probe(): boolean {
    try {
      this.#fill.run(PROBE_BYTES);
      this.#empty.run();
      this.#rehearse();
    } catch (error) {
      // A made-up message that fails by itself says nothing of the others.
      if (!isOwnFault(error) || isDamage(error)) return false;
    }
    this.#provenAt = this.#clock.uptimeMs();
    return true;
  }

  #change(outage: Outage | null): void {
    this.#outage = outage;
    for (const listener of [...this.#listeners]) listener(outage);
  }
}
