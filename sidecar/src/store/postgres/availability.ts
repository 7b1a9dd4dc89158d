import { type Backoff, backoffMs } from "@hotbags/shared";
import type { Clock, Timers } from "../../clock.ts";
import type { DamageRecord } from "../damage.ts";
import { isDamage } from "../errors.ts";
import type { Outage } from "../outage.ts";

import { isDisconnection, isOwnFault, UncertainCommitError, wordsOf } from "./faults.ts";

/** Waits between two probes. Each costs the server a transaction, and a customer may be waiting for the end of the outage. */
const BACKOFF: Backoff = { baseMs: 250, maxMs: 2_000 };

/**
 * For so long, ms, a probe that went well answers for damage that is met: what rests meanwhile is tried at once when an
 * outage is over.
 */
const PROVEN_FOR_MS = 10_000;

interface AvailabilityParts {
  clock: Clock;
  timers: Timers;
  damage: DamageRecord;
  /** Writes what the next message would, and takes it back. Rejects with what stands in its way. */
  probe: (cause: unknown) => Promise<void>;
  backoff?: Backoff | undefined;
}

/**
 * Whether the database takes writes. Once something has failed for no reason of its own there is an outage, until a probe
 * goes well: what hits all is waited out, and costs no message an attempt. A damaged page can be one row's or everybody's:
 * that is an outage, too, until a probe has told.
 */
export class Availability {
  readonly #parts: AvailabilityParts;
  readonly #listeners = new Set<(outage: Outage | null) => void>();
  #outage: Outage | null = null;
  #failures = 0;
  #provenAt = Number.NEGATIVE_INFINITY;
  #callOff = () => {};
  #closed = false;

  constructor(parts: AvailabilityParts) {
    this.#parts = parts;
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
   * all else; if not, this begins an outage.
   */
  check(what: string, error: unknown): boolean {
    if (this.#outage || this.#closed) return false;
    const { damage, clock } = this.#parts;
    const failure = `${what}: ${wordsOf(error)}`;
    const isOfDamage = isDamage(error);
    if (isOfDamage) damage.note(failure);
    if (isOwnFault(error) && (!isOfDamage || this.#isProven)) return true;
    this.#failures = 0;
    this.#schedule(what, error);
    this.#change({ failure, since: clock.now(), isDamage: isOfDamage, isAway: isAway(error) });
    return false;
  }

  /** The same by whoever can wait for it: of damage a probe tells at once, and no outage begins where it goes well. */
  async judge(what: string, error: unknown): Promise<boolean> {
    if (!this.#outage && !this.#closed && isDamage(error) && !this.#isProven) await this.#whyNot(error);
    return this.check(what, error);
  }

  /** Probes no more. */
  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #schedule(what: string, cause: unknown): void {
    this.#failures += 1;
    const { timers, backoff = BACKOFF } = this.#parts;
    this.#callOff = timers.after(backoffMs(backoff, this.#failures), () => void this.#look(what, cause));
  }

  async #look(what: string, cause: unknown): Promise<void> {
    const error = await this.#whyNot(cause);
    if (this.#closed) return;
    if (error === null) return this.#change(null);
    this.#schedule(what, error);
    // What is said of the last attempt helps more than what was said of the first one, an hour ago.
    const failure = `${what}: ${wordsOf(error)}`;
    if (this.#outage) this.#outage = { ...this.#outage, failure, isDamage: isDamage(error), isAway: isAway(error) };
  }

  get #isProven(): boolean {
    return this.#parts.clock.uptimeMs() - this.#provenAt < PROVEN_FOR_MS;
  }

  /** What stands in the way of the next message; null: nothing does. */
  async #whyNot(cause: unknown): Promise<unknown> {
    try {
      await this.#parts.probe(cause);
    } catch (error) {
      // A made-up message that fails by itself says nothing of the others.
      if (!isOwnFault(error) || isDamage(error)) return error;
    }
    this.#provenAt = this.#parts.clock.uptimeMs();
    return null;
  }

  #change(outage: Outage | null): void {
    this.#outage = outage;
    for (const listener of [...this.#listeners]) listener(outage);
  }
}

function isAway(error: unknown): boolean {
  return isDisconnection(error) || error instanceof UncertainCommitError;
}
