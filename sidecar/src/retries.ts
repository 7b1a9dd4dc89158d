import { type Backoff, backoffMs } from "@hotbags/shared";

/**
 * Failures in a row, each kind of work counted by a key of its own. Keeps an entry for each key that has failed and
 * not been cleared.
 */
export class Retries<Key> {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #counts = new Map<Key, number>();

  constructor(backoff: Backoff, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  /** It failed again. Returns how often that was in a row, and how long to wait, ms. */
  add(key: Key): { inARow: number; waitMs: number } {
    const inARow = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, inARow);
    return { inARow, waitMs: backoffMs(this.#backoff, inARow, this.#random) };
  }

  /** It went well, or is given up. */
  clear(key: Key): void {
    this.#counts.delete(key);
  }
}
