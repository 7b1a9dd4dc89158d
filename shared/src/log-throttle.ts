/** What lasts is logged again after this time, ms. */
const LOG_EVERY_MS = 60_000;

/** The part of a clock that is needed here: monotonic ms. */
interface Uptime {
  uptimeMs(): number;
}

/**
 * Logs what lasts, or comes again and again, at most once in `everyMs` (Infinity: once until it is over), and never
 * once an attempt: a bad night must stay visible without filling the disk. The first time is at once, and so is what is
 * something else than the last time, by `what`.
 */
export class LogThrottle {
  readonly #everyMs: number;
  readonly #clock: Uptime;
  #logged: { what: string; at: number } | null = null;

  constructor({ everyMs = LOG_EVERY_MS, clock }: { everyMs?: number; clock?: Uptime } = {}) {
    this.#everyMs = everyMs;
    this.#clock = clock ?? { uptimeMs: () => performance.now() };
  }

  /** Calls `write`, unless it was called for the same a short time ago. */
  log(write: () => void, what = ""): void {
    const at = this.#clock.uptimeMs();
    if (this.#logged?.what === what && at - this.#logged.at < this.#everyMs) return;
    this.#logged = { what, at };
    write();
  }

  /** It has passed: the next time is logged at once. True if there was something to take back. */
  over(): boolean {
    const wasLogged = this.#logged !== null;
    this.#logged = null;
    return wasLogged;
  }
}
