import { count, groupId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { TimeLock } from "../gateway/index.ts";

/** A lock is looked at again after this time at the latest, ms: WhatsApp may lift it early. OpenClaw refuses for 13 min before it drops. */
const ASK_MS = 30 * 60_000;

/** A reply that was let go to find out has this long, ms, before the next one is. */
const FIND_OUT_MS = 30_000;

/** A WhatsApp account whose number may write to nobody in direct chats. */
export interface LockedAccount extends TimeLock {
  account: string;
}

interface Lock extends LockedAccount {
  /** When it was noticed, monotonic ms. */
  since: number;
  /** When one reply may go, to find out whether it is still on, monotonic ms. */
  askAt: number;
}

interface TimeLocksParts {
  clock: Clock;
  log: Logger;
  /** Told once of each lock. */
  onLock(lock: LockedAccount): void;
}

/**
 * Holds the replies of an account that WhatsApp has put under a reach-out time lock: OpenClaw refuses all its direct
 * messages then, and drops them after 13 minutes. It lets groups be answered. Held replies go when the lock ends: at its
 * end one goes first, and the others when that was taken.
 */
export class TimeLocks {
  readonly #parts: TimeLocksParts;
  readonly #locks = new Map<string, Lock>();
  /** Chats that wait, with their account. */
  readonly #held = new Map<number, string>();

  constructor(parts: TimeLocksParts) {
    this.#parts = parts;
  }

  /** OpenClaw has refused a reply for this lock. */
  refused(account: string, { until, kind }: TimeLock): void {
    const { clock, onLock } = this.#parts;
    const now = clock.uptimeMs();
    const before = this.#locks.get(account);
    const isKnown = before !== undefined && !this.#hasEnded(before);
    const untilMs = until === null ? ASK_MS : until - clock.now();
    const askAt = now + Math.max(FIND_OUT_MS, Math.min(untilMs, ASK_MS));
    const lock = { account, until, kind, askAt, since: isKnown ? before.since : now };
    this.#locks.set(account, lock);
    if (!isKnown) onLock(lock);
  }

  /**
   * A reply of the account has gone out to this chat. Returns whether that ends a lock: not if it was on its way, since
   * `begunAt`, when the lock came. Monotonic ms.
   */
  sent(account: string, chatId: string, begunAt: number): boolean {
    const lock = this.#locks.get(account);
    if (!lock || begunAt < lock.since || isGroup(chatId)) return false;
    this.#locks.delete(account);
    for (const [chat, its] of this.#held) if (its === account) this.#held.delete(chat);
    this.#parts.log.info({ account }, "WhatsApp takes direct messages again");
    return true;
  }

  /**
   * How long the chat's next reply waits, ms; 0 when it may go. To be asked when nothing else holds it: to find out
   * whether the lock is still on, one may go, and the others wait for what comes of it.
   */
  hold(chat: number, account: string, chatId: string): number {
    const known = this.#locks.get(account);
    const lock = known && !isGroup(chatId) ? known : undefined;
    const now = this.#parts.clock.uptimeMs();
    if (!lock || lock.askAt <= now) {
      if (lock) lock.askAt = now + FIND_OUT_MS;
      this.#held.delete(chat);
      return 0;
    }
    this.#held.set(chat, account);
    return lock.askAt - now;
  }

  /** Whether there is a lock of the account, or was one of which it is not known whether it ended. */
  concerns(account: string): boolean {
    return this.#locks.has(account);
  }

  /** The chat has no reply that waits for this. */
  over(chat: number): void {
    this.#held.delete(chat);
  }

  /** The locks that are on, or that replies wait for. */
  get all(): LockedAccount[] {
    return [...this.#locks.values()].filter((lock) => this.#heldBy(lock) > 0 || !this.#hasEnded(lock));
  }

  /** What is the case, a sentence for each account. No customer's number. */
  get problems(): string[] {
    return this.all.map((lock) => {
      const chats = this.#heldBy(lock);
      return chats === 0
        ? sentenceOn(lock)
        : `${sentenceOn(lock)} Replies of ${count(chats, "chat")} wait here for that`;
    });
  }

  /** By WhatsApp's own word; or, where that does not say until when, since it was not seen for a while. */
  #hasEnded({ until, askAt }: Lock): boolean {
    const { clock } = this.#parts;
    return until === null ? clock.uptimeMs() >= askAt : clock.now() >= until;
  }

  #heldBy({ account }: LockedAccount): number {
    let chats = 0;
    for (const its of this.#held.values()) if (its === account) chats += 1;
    return chats;
  }
}

/** What the lock means. */
export function sentenceOn({ account, until, kind }: LockedAccount): string {
  const cause = kind === null ? "" : `, ${kind}`;
  const end = until === null ? "WhatsApp does not say until when" : `until ${new Date(until).toISOString()}`;
  return `WhatsApp has locked account ${account} (reach-out time lock${cause}), ${end}: OpenClaw sends nothing to direct chats.`;
}

function isGroup(chatId: string): boolean {
  return groupId.safeParse(chatId).success;
}
