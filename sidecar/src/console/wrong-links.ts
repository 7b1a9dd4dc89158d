/** Links that are wrong, within WINDOW_MS. */
const MOST_WRONG = 10;
const WINDOW_MS = 60_000;

/**
 * How many wrong links were shown lately. No link of 256 bits is ever guessed; this keeps whoever tries from costing
 * anything, and from filling the log. A right one comes in all the same: any process of this machine could keep the owner
 * out otherwise.
 */
export class WrongLinks {
  readonly #uptimeMs: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** `uptimeMs`: a clock that never jumps. */
  constructor(uptimeMs: () => number) {
    this.#uptimeMs = uptimeMs;
  }

  /** One more. Returns in how many seconds somebody may try again; null: there were not too many yet. */
  note(): number | null {
    const now = this.#uptimeMs();
    if (now - this.#since >= WINDOW_MS) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > MOST_WRONG ? Math.ceil((this.#since + WINDOW_MS - now) / 1_000) : null;
  }
}
