import { step, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Backoff, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { Lanes } from "../lanes.ts";
import { type PendingMessage, type Store, StoreUnwritableError } from "../store/index.ts";
import { announce } from "./announce.ts";
import { Body, findLost } from "./body.ts";
import { Breaker } from "./breaker.ts";
import type { HotBags } from "./hotbags.ts";
import type { Outcome } from "./outcome.ts";

export interface RelayOptions {
  /** POSTs under way at once, over all chats. */
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

/** The lane of all detached messages: those that failed by their own fault wait here, one at a time, out of their chats' way. Chats count from 1. */
const DETACHED = 0;

/** Wait before a result that could not be written is obtained again. The same key brings the same answer, so nothing is lost by asking. */
const STORE_RETRY_MS = 1_000;

interface RelayParts {
  store: Store;
  hotbags: HotBags;
  clock: Clock;
  log: Logger;
  random: () => number;
  /** Told of a chat that has new commands to execute. */
  onCommands(chat: number): void;
}

/** Takes pending messages to Hot Bags: in order within a chat, chats side by side, again until it works or the limit is reached. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #options: RelayOptions;
  readonly #lanes = new Lanes();
  readonly #breaker: Breaker;
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe = () => {};
  #running = false;
  #lastSuccessAt: number | null = null;
  #lastFailure: { at: number; error: string } | null = null;

  constructor(parts: RelayParts, options: RelayOptions = RELAY_DEFAULTS) {
    this.#parts = parts;
    this.#options = options;
    this.#breaker = new Breaker(options.breakerThreshold, options.probeBackoff, parts.random);
  }

  /** Takes up what waits in the store. */
  start(): void {
    this.#running = true;
    for (const { chat, next_attempt_at } of this.#parts.store.messages.laneHeads())
      this.#lanes.offer(chat, this.#dueAt(next_attempt_at));
    this.#offerDetached();
    this.#unsubscribe = this.#parts.store.onOutage(() => this.#pump());
    this.#pump();
  }

  /** A message of this chat was accepted. */
  offer(chat: number): void {
    if (!this.#running) return;
    this.#lanes.offer(chat, this.#parts.clock.uptimeMs());
    this.#pump();
  }

  /** Begins no more attempts and waits for those under way. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#unsubscribe();
    await Promise.allSettled(this.#underWay);
  }

  /** What an operator wants to know of the way to Hot Bags. Times are wall-clock ms. */
  get status() {
    return {
      breakerOpen: this.#breaker.open,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailure: this.#lastFailure,
      underWay: this.#underWay.size,
    };
  }

  #pump(): void {
    // An answer that can't be written down would only be asked for again.
    if (!this.#running || this.#parts.store.outage) return;
    clearTimeout(this.#timer);
    const now = this.#parts.clock.uptimeMs();
    while (this.#underWay.size < this.#options.concurrency) {
      const dueAt = this.#lanes.nextDueAt();
      if (dueAt === undefined) return;
      // An open breaker asks for its own probes, whatever lane is next; a closed one leaves it to the lanes.
      if (!this.#breaker.open && dueAt > now) break;
      const permission = this.#breaker.ask(now);
      if (permission === "wait") break;
      const lane = this.#lanes.take(permission === "probe" ? Number.POSITIVE_INFINITY : now);
      if (lane === undefined) return;
      const attempt = this.#attempt(lane, permission === "probe").finally(() => {
        this.#underWay.delete(attempt);
        this.#pump();
      });
      this.#underWay.add(attempt);
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#underWay.size >= this.#options.concurrency) return;
    const at = this.#breaker.open ? this.#breaker.probeAt : this.#lanes.nextDueAt();
    if (at === undefined) return;
    this.#timer = setTimeout(() => this.#pump(), Math.max(0, Math.ceil(at - this.#parts.clock.uptimeMs())));
  }

  /** One POST for the head of a lane. Never rejects. */
  async #attempt(lane: number, probe: boolean): Promise<void> {
    const { store, clock } = this.#parts;
    const next = lane === DETACHED ? store.messages.firstDetached() : store.messages.headOf(lane);
    if (!next) {
      if (probe) this.#breaker.failed(clock.uptimeMs(), { probe, waitMs: 0 });
      this.#lanes.empty(lane);
      return;
    }
    const log = this.#logOf(next);
    let message: PendingMessage;
    try {
      message = await this.#withoutLostFiles(next, log);
    } catch (error) {
      log.error({ err: error }, "the message can't be made ready; trying again");
      if (probe) this.#breaker.failed(clock.uptimeMs(), { probe });
      this.#lanes.again(lane, clock.uptimeMs() + STORE_RETRY_MS);
      return;
    }
    step("post:before");
    const outcome = await this.#parts.hotbags.post(message, new Body(message, store.files));
    step("post:after");
    this.#tellBreaker(outcome, probe, log);
    try {
      const waitMs = await this.#settle(message, outcome, probe, log);
      if (waitMs > 0) this.#lanes.again(lane, clock.uptimeMs() + waitMs);
      else this.#advance(lane);
    } catch (error) {
      // An outage of the store has its own line in the log.
      if (!(error instanceof StoreUnwritableError))
        log.error({ err: error }, "the outcome of an attempt can't be written; asking again");
      this.#lanes.again(lane, clock.uptimeMs() + STORE_RETRY_MS);
    }
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

  /** The lane's message is settled or detached: on to its next, if there is one. */
  #advance(lane: number): void {
    const { messages } = this.#parts.store;
    const due = lane === DETACHED ? messages.detachedDue() : messages.dueOf(lane);
    if (due === undefined) this.#lanes.empty(lane);
    else this.#lanes.again(lane, this.#dueAt(due));
  }

  #tellBreaker(outcome: Outcome, probe: boolean, log: Logger): void {
    const { clock } = this.#parts;
    if (outcome.kind !== "backend") {
      this.#lastSuccessAt = clock.now();
      if (!this.#breaker.succeeded()) return;
      log.info("Hot Bags answers again");
      this.#lanes.release(clock.uptimeMs());
      return;
    }
    this.#lastFailure = { at: clock.now(), error: outcome.error };
    const opened = this.#breaker.failed(clock.uptimeMs(), {
      probe,
      waitMs: outcome.retryAfterMs,
      atOnce: outcome.alarm,
    });
    if (opened) log.error({ alarm: outcome.alarm === true }, `${outcome.error}; holding all messages and probing`);
  }

  /** Writes the outcome down. Returns how long the lane waits before it repeats this message, ms; 0 when it is through with it. */
  async #settle(message: PendingMessage, outcome: Outcome, probe: boolean, log: Logger): Promise<number> {
    const { store, clock } = this.#parts;
    if (outcome.kind === "answered") {
      const recorded = await store.messages.delivered(message.seq, outcome.status, outcome.response, outcome.commands);
      log.info(
        { status: outcome.status, attempts: message.attempts + 1, commands: recorded.length },
        "delivered to Hot Bags",
      );
      announce(recorded, log);
      if (recorded.some(({ outcome }) => outcome === "pending")) this.#parts.onCommands(message.chat);
      return 0;
    }
    // A probe asks for the backend, not for the message: its failure is not counted against whoever happened to be asked.
    if (outcome.kind === "backend" && probe) {
      log.warn({ status: outcome.status }, `${outcome.error}; still holding`);
      return this.#options.probeBackoff.maxMs;
    }
    const attempts = message.attempts + 1;
    const jitter = backoffMs(this.#options.backoff, attempts, this.#parts.random);
    const waitMs = outcome.kind === "backend" ? Math.max(jitter, outcome.retryAfterMs ?? 0) : jitter;
    if (attempts >= this.#options.maxAttempts || message.retrying_ms + waitMs >= this.#options.maxRetryingMs) {
      await store.messages.dead(message.seq, outcome.status, outcome.error);
      log.error(
        { status: outcome.status, attempts, alarm: true },
        `${outcome.error}; given up, it is a dead letter now`,
      );
      return 0;
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
    if (!detach) return Math.max(1, waitMs);
    this.#offerDetached();
    return 0;
  }

  #offerDetached(): void {
    const due = this.#parts.store.messages.detachedDue();
    if (due !== undefined) this.#lanes.offer(DETACHED, this.#dueAt(due));
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
