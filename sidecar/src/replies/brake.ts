/** How many replies a chat may get. 0 switches a limit off. */
export interface BrakeLimits {
  perMinute: number;
  perHour: number;
}

/**
 * More than a shop says to anyone, also in a lively group; a loop reaches it within seconds. Two bots that answer each
 * other at once do so several times a second, and slow ones reach the hour's.
 */
export const DEFAULT_BRAKE: BrakeLimits = { perMinute: 30, perHour: 300 };

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** For how long a chat's next reply is held. */
export interface Hold {
  /** 0: it may go. */
  ms: number;
  /** No chat was held in the hour before. */
  isNew: boolean;
}

const FREE: Hold = { ms: 0, isNew: false };

/**
 * Holds the replies of a chat that gets more of them than people exchange: two bots that answer each other, or a
 * backend that answers in a loop. What is held goes as fast as the limits allow. Times are monotonic ms.
 */
export class Brake {
  #limits: BrakeLimits;
  /** When each chat was sent its replies of the last hour, oldest first; the chat with the oldest last reply first. */
  readonly #sent = new Map<number, number[]>();
  /** Until when each chat is held. */
  readonly #held = new Map<number, number>();
  #lastHeldUntil = Number.NEGATIVE_INFINITY;

  constructor(limits: BrakeLimits) {
    this.#limits = limits;
  }

  /** Goes on with other limits. One that is higher than all were before begins with what was counted for those. */
  adopt(limits: BrakeLimits): void {
    this.#limits = limits;
    this.#held.clear();
  }

  /** A reply went out, or may have. */
  sent(chat: number, at: number): void {
    const { perMinute, perHour } = this.#limits;
    if (perMinute === 0 && perHour === 0) return;
    const times = this.#sent.get(chat) ?? [];
    times.push(at);
    // As many as a limit looks back.
    if (times.length > Math.max(perMinute, perHour)) times.shift();
    this.#sent.delete(chat);
    this.#sent.set(chat, times);
    for (const [idle, its] of this.#sent) {
      if ((its.at(-1) ?? at) > at - HOUR_MS) break;
      this.#sent.delete(idle);
    }
  }

  /** When the chat's next reply may go; in the past, if it may now. */
  freeAt(chat: number): number {
    const { perMinute, perHour } = this.#limits;
    const times = this.#sent.get(chat) ?? [];
    return Math.max(freeAt(times, perMinute, MINUTE_MS), freeAt(times, perHour, HOUR_MS));
  }

  /** For how long the chat's next reply is held. To be asked when there is one. */
  hold(chat: number, now: number): Hold {
    const until = this.freeAt(chat);
    if (until <= now) return FREE;
    this.#held.set(chat, until);
    const isNew = this.#lastHeldUntil <= now - HOUR_MS;
    this.#lastHeldUntil = Math.max(this.#lastHeldUntil, until);
    return { ms: until - now, isNew };
  }

  /** Chats that are held, or were within the last minute: a loop is held and let go by turns. */
  heldChats(now: number): number {
    for (const [chat, until] of this.#held) if (until <= now - MINUTE_MS) this.#held.delete(chat);
    return this.#held.size;
  }
}

/** When the last `limit` of these are no longer all within the window; -Infinity when they never were. */
function freeAt(times: readonly number[], limit: number, windowMs: number): number {
  const oldest = limit === 0 ? undefined : times.at(-limit);
  return oldest === undefined ? Number.NEGATIVE_INFINITY : oldest + windowMs;
}
