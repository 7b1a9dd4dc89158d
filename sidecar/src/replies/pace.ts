/** How fast replies may go out. 0 switches a limit off. */
export interface PaceLimits {
  /** Least time between two replies in one chat, ms. */
  chatIntervalMs: number;
  /** Replies a minute over all chats. */
  perMinute: number;
}

/** Spaces replies out, because WhatsApp bans numbers that blast. Times are monotonic ms. */
export class Pace {
  #limits: PaceLimits;
  #nextAt = 0;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Goes on with other limits. Waits that have begun end when they were to. */
  adopt(limits: PaceLimits): void {
    this.#limits = limits;
  }

  /** When the next reply may go, in whatever chat; not later than `now` when it may go at once. */
  nextAt(now: number): number {
    return Math.max(now, this.#nextAt);
  }

  /** A reply goes now. Returns how long its chat rests, ms. */
  spend(now: number): number {
    if (this.#limits.perMinute > 0) this.#nextAt = Math.max(now, this.#nextAt) + 60_000 / this.#limits.perMinute;
    return this.#limits.chatIntervalMs;
  }
}
