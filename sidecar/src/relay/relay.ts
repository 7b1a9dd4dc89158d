import { type Backoff, backoffMs, failpoint, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import type { Rest, Verdict } from "../lanes.ts";
import { isDamage, type PendingMessage, RowUnreadableError, type Store } from "../store/index.ts";
import { RESTORE, StoreFaults } from "../store-faults.ts";
import { announce } from "./announce.ts";
import { Body, findLost } from "./body.ts";
import { Breaker } from "./breaker.ts";
import type { HotBags } from "./hotbags.ts";
import { type Cause, MessageLanes } from "./message-lanes.ts";
import type { Outcome } from "./outcome.ts";

export interface RelayOptions {
  /** POSTs under way at once, over all chats. Those of detached messages come on top. */
  concurrency: number;
  /** Waits of one message between its attempts. */
  backoff: Backoff;
  /** Waits of the breaker between its probes, and the failures in a row that open it. */
  probeBackoff: Backoff;
  breakerThreshold: number;
  /** A message is a dead letter after this many attempts, or this much time spent retrying. */
  maxAttempts: number;
  maxRetryingMs: number;
}

export const RELAY_DEFAULTS: RelayOptions = {
  concurrency: 32,
  backoff: { baseMs: 1_000, maxMs: 15 * 60_000 },
  probeBackoff: { baseMs: 1_000, maxMs: 60_000 },
  breakerThreshold: 5,
  maxAttempts: 100,
  maxRetryingMs: 24 * 3_600_000,
};

interface RelayParts {
  store: Store;
  hotbags: HotBags;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** Told of a chat that has new commands to execute. */
  onCommands(chat: number): void;
}

/** A message that was POSTed, and what came of it. */
interface Posted {
  message: PendingMessage;
  outcome: Outcome;
  log: Logger;
}

/** Takes pending messages to Hot Bags: in order within a chat, chats side by side, again until it works or the limit is reached. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #options: RelayOptions;
  readonly #breaker: Breaker;
  readonly #lanes: MessageLanes;
  readonly #faults: StoreFaults;
  #lastSuccessAt: number | null = null;
  #lastFailure: { at: number; error: string } | null = null;

  constructor(parts: RelayParts, options: RelayOptions = RELAY_DEFAULTS) {
    this.#parts = parts;
    this.#options = options;
    this.#breaker = new Breaker(options.breakerThreshold, options.probeBackoff, parts.random);
    this.#faults = new StoreFaults(parts);
    this.#lanes = new MessageLanes({
      clock: parts.clock,
      timers: parts.timers,
      concurrency: options.concurrency,
      breaker: this.#breaker,
      faults: this.#faults,
      runChat: (chat, probe) => this.#runChat(chat, probe),
      runDetached: (chat, probe) => this.#runDetached(chat, probe),
    });
  }

  /** Takes up what waits in the store. */
  start(): void {
    const { messages } = this.#parts.store;
    for (const { chat, next_attempt_at } of messages.laneHeads())
      this.#lanes.chats.schedule(chat, "backoff", this.#dueAt(next_attempt_at));
    for (const { chat, next_attempt_at } of messages.detachedHeads())
      this.#lanes.detached.schedule(chat, "backoff", this.#dueAt(next_attempt_at));
  }

  /** A message of this chat was accepted. */
  offer(chat: number): void {
    this.#lanes.chats.offer(chat);
  }

  /** Begins no more attempts and waits for those under way. */
  async stop(): Promise<void> {
    await this.#lanes.stop();
  }

  /** What an operator wants to know of the way to Hot Bags. Times are wall-clock ms. */
  get status() {
    return {
      breakerOpen: this.#breaker.open,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailure: this.#lastFailure,
      underWay: this.#lanes.underWay,
    };
  }

  async #runChat(chat: number, probe: boolean): Promise<Verdict<Cause>> {
    const end = await this.#deliver(() => this.#parts.store.messages.headOf(chat), false, probe);
    this.#faults.passed(chat);
    if (end === "nothing") return "empty";
    return end === "through" ? "more" : end;
  }

  async #runDetached(chat: number, probe: boolean): Promise<Verdict<Cause>> {
    const { messages } = this.#parts.store;
    const end = await this.#deliver(() => messages.firstDetachedOf(chat), true, probe);
    this.#faults.passed(-chat);
    if (typeof end === "object" && end.cause !== "backoff") return end;
    // Another one may be due before the one that failed.
    const due = messages.detachedDueOf(chat);
    return due === undefined ? "empty" : { cause: "backoff", until: this.#dueAt(due) };
  }

  /** Takes the message that `read` gives as far as it gets. Throws when the store fails. */
  async #deliver(
    read: () => PendingMessage | undefined,
    wasDetached: boolean,
    probe: boolean,
  ): Promise<"nothing" | "through" | Rest<Cause>> {
    let posted: Posted | undefined;
    try {
      posted = await this.#post(read, probe);
      if (!posted) return "nothing";
      const end = await this.#settle(posted, probe);
      this.#faults.forget(posted.message.seq);
      return end;
    } catch (error) {
      const seq = error instanceof RowUnreadableError ? error.row : posted?.message.seq;
      if (seq === undefined || !(error instanceof RowUnreadableError || isDamage(error))) throw error;
      return this.#faults.damaged(seq) ?? (await this.#giveUp(seq, wasDetached, posted, error));
    }
  }

  /** One POST of the message that `read` gives, if there is one. The breaker has heard of its outcome. */
  async #post(read: () => PendingMessage | undefined, probe: boolean): Promise<Posted | undefined> {
    const { store, hotbags } = this.#parts;
    let isBreakerTold = !probe;
    try {
      const next = read();
      if (!next) return undefined;
      const log = this.#logOf(next);
      const message = await this.#withoutLostFiles(next, log);
      failpoint("post:before");
      const outcome = await hotbags.post(message, new Body(message, store.files));
      failpoint("post:after");
      this.#tellBreaker(outcome, probe, log);
      isBreakerTold = true;
      return { message, outcome, log };
    } finally {
      if (!isBreakerTold) {
        this.#breaker.forgo();
        this.#lanes.look();
      }
    }
  }

  /**
   * Goes on without a message that a damaged page keeps from being read or settled. What Hot Bags has answered is not
   * lost.
   */
  async #giveUp(seq: number, wasDetached: boolean, posted: Posted | undefined, error: unknown): Promise<"through"> {
    const { store, onCommands } = this.#parts;
    const log = posted?.log ?? this.#parts.log.child({ seq });
    if (posted?.outcome.kind === "answered") {
      const { message, outcome } = posted;
      const recorded = await store.messages.giveUpDelivered(message, wasDetached, outcome.commands);
      log.error({ err: error, alarm: true }, `delivered to Hot Bags, but that can't be written. ${RESTORE}`);
      announce(recorded, log);
      if (recorded.some(({ outcome }) => outcome === "pending")) onCommands(message.chat);
    } else {
      await store.messages.giveUp(seq, wasDetached, "a page of the database is damaged");
      const what = "can't be read or written; given up, it is a dead letter now";
      log.error({ err: error, alarm: true }, `message ${seq} ${what}. ${RESTORE}`);
    }
    this.#faults.forget(seq);
    return "through";
  }

  /** The message with a body that can be sent: what can't be read any more is left out of it for good, and that is on disk before it is sent. */
  async #withoutLostFiles(message: PendingMessage, log: Logger): Promise<PendingMessage> {
    const { store } = this.#parts;
    const lost = await findLost(message.inlined, store.files);
    if (lost.length === 0) return message;
    const positions = lost.map(({ position }) => position);
    log.error({ alarm: true, media: positions }, "files were lost: the message goes without their bytes");
    return store.messages.filesLost(message, lost);
  }

  #tellBreaker(outcome: Outcome, probe: boolean, log: Logger): void {
    const { clock } = this.#parts;
    if (outcome.kind !== "backend") {
      this.#lastSuccessAt = clock.now();
      if (!this.#breaker.succeeded()) return;
      log.info("Hot Bags answers again");
      this.#lanes.release();
      return;
    }
    this.#lastFailure = { at: clock.now(), error: outcome.error };
    const opened = this.#breaker.failed(clock.uptimeMs(), {
      probe,
      waitMs: outcome.retryAfterMs,
      atOnce: outcome.alarm,
    });
    if (opened)
      log.error({ alarm: outcome.alarm === true }, `${outcome.error}; all messages wait for a probe to be answered`);
    if (probe) this.#lanes.look();
  }

  /**
   * Writes the outcome down. Returns for what the lane rests before it repeats this message; `through`: it is done
   * with it.
   */
  async #settle({ message, outcome, log }: Posted, probe: boolean): Promise<"through" | Rest<Cause>> {
    const { store, clock, random, onCommands } = this.#parts;
    if (outcome.kind === "answered") {
      const recorded = await store.messages.delivered(message.seq, outcome.status, outcome.response, outcome.commands);
      log.info(
        { status: outcome.status, attempts: message.attempts + 1, commands: recorded.length },
        "delivered to Hot Bags",
      );
      announce(recorded, log);
      if (recorded.some(({ outcome }) => outcome === "pending")) onCommands(message.chat);
      return "through";
    }
    if (outcome.kind === "backend" && probe) {
      log.warn({ status: outcome.status }, `${outcome.error}; still waiting`);
      return this.#afterProbe(message);
    }
    const attempts = message.attempts + 1;
    const jitter = backoffMs(this.#options.backoff, attempts, random);
    const waitMs = outcome.kind === "backend" ? Math.max(jitter, outcome.retryAfterMs ?? 0) : jitter;
    if (attempts >= this.#options.maxAttempts || message.retrying_ms + waitMs >= this.#options.maxRetryingMs) {
      await store.messages.dead(message.seq, outcome.status, outcome.error);
      log.error(
        { status: outcome.status, attempts, alarm: true },
        `${outcome.error}; given up, it is a dead letter now`,
      );
      return "through";
    }
    const detach = outcome.kind === "message";
    const left = await store.messages.failed(message.seq, {
      error: outcome.error,
      status: outcome.status,
      nextAttemptAt: clock.now() + waitMs,
      waitMs,
      detach,
    });
    const about = { status: outcome.status, attempts, wait_ms: waitMs, detached: detach };
    // Only Hot Bags can mend it, and until then the customer hears nothing. Said once a message, not once an attempt.
    if (left) log.error({ ...about, alarm: true }, `${outcome.error}; trying again apart from its chat`);
    else log.warn(about, outcome.error);
    const until = clock.uptimeMs() + waitMs;
    if (!detach) return { cause: "backoff", until };
    this.#lanes.detached.schedule(message.chat, "backoff", until);
    return "through";
  }

  /**
   * A probe asks for the backend, not for the message: its failure is not counted against whoever happened to be
   * asked. What the message had booked before is waited for to its end. One that had nothing to wait for can be the
   * next probe too, but those that have waited for longer come before it.
   */
  #afterProbe(message: PendingMessage): Rest<Cause> {
    const now = this.#parts.clock.uptimeMs();
    const dueAt = this.#dueAt(message.next_attempt_at);
    if (dueAt > now) return { cause: "backoff", until: dueAt };
    return { cause: "breaker", until: this.#breaker.probeAt ?? now };
  }

  /** A stored wall-clock time as a monotonic one. Never further away than the longest wait: the clock may have been set back since. */
  #dueAt(wallMs: number): number {
    const { clock } = this.#parts;
    const wait = Math.min(Math.max(0, wallMs - clock.now()), this.#options.backoff.maxMs);
    return clock.uptimeMs() + wait;
  }

  #logOf(message: PendingMessage): Logger {
    return this.#parts.log.child({
      transport_session_id: transportSessionId(message.account_id),
      message_id: message.message_id,
    });
  }
}
