/** How fast replies may go out. 0 switches a limit off. */
export interface PaceLimits {
  /** Least time between two replies in one chat, ms. */
  chatIntervalMs: number;
  /** Replies a minute over all chats. */
  perMinute: number;
}

/** What lets one reply go. */
export interface Turn {
  /** How long the reply's chat rests behind it, ms. */
  restMs: number;
  /** No reply goes: the next one may go when this one might have. */
  giveBack(): void;
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

  /** A reply is to go now, as soon as it is read: until it is known whether it does, no other has its turn. */
  take(now: number): Turn {
    const { perMinute, chatIntervalMs } = this.#limits;
    const intervalMs = perMinute > 0 ? 60_000 / perMinute : 0;
    if (intervalMs > 0) this.#nextAt = Math.max(now, this.#nextAt) + intervalMs;
    return {
      restMs: chatIntervalMs,
      giveBack: () => {
        this.#nextAt -= intervalMs;
      },
    };
  }
}
