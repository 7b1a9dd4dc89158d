import { type Backoff, backoffMs } from "@hotbags/shared";
import type { Clock, Timers } from "../../clock.ts";
import type { Outage } from "../outage.ts";
import { isOwnFault, wordsOf } from "./faults.ts";

/** Waits between two probes. Each costs the server a transaction, and a customer may be waiting for the end of the outage. */
const BACKOFF: Backoff = { baseMs: 250, maxMs: 2_000 };

interface AvailabilityParts {
  clock: Clock;
  timers: Timers;
  /** Writes what the next message would, and takes it back. Rejects with what stands in its way. */
  probe: (cause: unknown) => Promise<void>;
  backoff?: Backoff | undefined;
}

/**
 * Whether the database takes writes. Once something has failed for no reason of its own there is an outage, until a probe
 * goes well: what hits all is waited out, and costs no message an attempt.
 */
export class Availability {
  readonly #parts: AvailabilityParts;
  readonly #listeners = new Set<(outage: Outage | null) => void>();
  #outage: Outage | null = null;
  #failures = 0;
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
    if (isOwnFault(error)) return true;
    this.#failures = 0;
    this.#schedule(error);
    this.#change({ failure: `${what}: ${wordsOf(error)}`, since: this.#parts.clock.now(), isDamage: false });
    return false;
  }

  /** Probes no more. */
  close(): void {
    this.#closed = true;
    this.#callOff();
  }

  #schedule(cause: unknown): void {
    this.#failures += 1;
    const { timers, backoff = BACKOFF } = this.#parts;
    this.#callOff = timers.after(backoffMs(backoff, this.#failures), () => void this.#look(cause));
  }

  async #look(cause: unknown): Promise<void> {
    try {
      await this.#parts.probe(cause);
    } catch (error) {
      // What is said of the last attempt helps more than what was said of the first one, an hour ago.
      if (!this.#closed) this.#schedule(error);
      return;
    }
    if (!this.#closed) this.#change(null);
  }

  #change(outage: Outage | null): void {
    this.#outage = outage;
    for (const listener of [...this.#listeners]) listener(outage);
  }
}
