import { type Backoff, count } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { SendOutcome } from "../gateway/index.ts";
import type { Rest } from "../lanes.ts";
import { Retries } from "../retries.ts";

type NotSent = Extract<SendOutcome, { kind: "not_sent" }>;

/** Waits before a send that is proven not to have happened is tried again. */
const BACKOFF: Backoff = { baseMs: 1_000, maxMs: 60_000 };

/** The same where nothing changes until the operator acts. */
const OPERATORS_BACKOFF: Backoff = { baseMs: 60_000, maxMs: 15 * 60_000 };

/** The longest wait that the gateway can ask for, ms. */
const MAX_RETRY_AFTER_MS = 15 * 60_000;

/**
 * Replies that were proven not to be sent: how long their chats wait, and what the operator must know. What only the
 * operator can change is raised once, not once a chat and attempt, and again only after no chat has met it any more.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** By chat. */
  readonly #passing: Retries<number>;
  readonly #lasting: Retries<number>;
  /** Chats that wait for the operator: what is the case, and what helps. */
  readonly #raised = new Map<number, { reason: string; action: string }>();
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor({ clock, log, random }: { clock: Clock; log: Logger; random: () => number }) {
    this.#clock = clock;
    this.#log = log;
    this.#passing = new Retries(BACKOFF, random);
    this.#lasting = new Retries(OPERATORS_BACKOFF, random);
  }

  /** Until then the gateway wants nothing to be sent, in whatever chat, monotonic ms. */
  get notBefore(): number {
    return this.#notBefore;
  }

  /**
   * A send of this chat was refused. Returns how long the chat rests, and for what. `raised`: what the operator has to
   * do, the first time that it is so.
   */
  add(
    chat: number,
    { reason, action, retryAfterMs = 0 }: NotSent,
  ): { rest: Rest<"backoff" | "operator">; raised: string | null } {
    const now = this.#clock.uptimeMs();
    this.#notBefore = Math.max(this.#notBefore, now + Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
    if (action === undefined) {
      this.#takeBack(chat);
      return { rest: { cause: "backoff", until: now + this.#passing.add(chat).waitMs }, raised: null };
    }
    const raised = this.#chatsWith(action) === 0 ? action : null;
    this.#raised.set(chat, { reason, action });
    return { rest: { cause: "operator", until: now + this.#lasting.add(chat).waitMs }, raised };
  }

  /** The chat's replies are taken again, or there are none. */
  over(chat: number): void {
    this.#passing.clear(chat);
    this.#lasting.clear(chat);
    this.#takeBack(chat);
  }

  /** What the operator must change, a sentence each. No customer's number or text. */
  get problems(): string[] {
    const byAction = new Map([...this.#raised.values()].map((raised) => [raised.action, raised]));
    return [...byAction.values()].map(
      ({ reason, action }) => `replies of ${count(this.#chatsWith(action), "chat")} wait: ${reason}. ${action}`,
    );
  }

  #takeBack(chat: number): void {
    const raised = this.#raised.get(chat);
    if (!raised) return;
    this.#raised.delete(chat);
    if (this.#chatsWith(raised.action) === 0) this.#log.info("replies that waited for the operator go out again");
  }

  #chatsWith(action: string): number {
    let count = 0;
    for (const raised of this.#raised.values()) if (raised.action === action) count += 1;
    return count;
  }
}
