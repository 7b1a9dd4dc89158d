import { step, transportSessionId } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Backoff } from "../backoff.ts";
import type { Clock, Timers } from "../clock.ts";
import type { Rest, Verdict } from "../lanes.ts";
import { isDamage, type PendingMessage, RowUnreadableError, type Store } from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import { Body, findLost } from "./body.ts";
import type { HotBags } from "./hotbags.ts";
import { type Alarm, type Attempt, Judge } from "./judge.ts";
import { type Cause, MessageLanes } from "./message-lanes.ts";
import type { Outcome } from "./outcome.ts";
import { CONSEQUENCES } from "./rules.ts";
import { Settlement } from "./settlement.ts";
import type { Symptom } from "./symptom.ts";

export interface RelayOptions {
  /** POSTs under way at once, over all chats. Those of detached messages come on top. */
  concurrency: number;
  /** Waits of one message between its attempts. */
  backoff: Backoff;
  /** Waits between the probes while all messages are held. */
  probeBackoff: Backoff;
  /** A message is a dead letter after this much time spent retrying, ms. */
  maxRetryingMs: number;
}

/** The longest wait that a `Retry-After` can ask for, ms. */
export const MAX_RETRY_AFTER_MS = 15 * 60_000;

/**
 * How a message's attempts spread over its time: after some ten that double, one every 66th part of it, less up to a
 * half by chance. That makes about 100 in all: every 11 to 22 minutes in 24 hours.
 */
const PARTS = 66;

export function relayOptions(maxRetryingMs: number): RelayOptions {
  return {
    concurrency: 32,
    backoff: { baseMs: 1_000, maxMs: maxRetryingMs / PARTS },
    probeBackoff: { baseMs: 1_000, maxMs: 60_000 },
    maxRetryingMs,
  };
}

interface RelayParts {
  store: Store;
  hotbags: HotBags;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** Told of a chat that has new commands to execute. */
  onCommands(chat: number): void;
  /** Told of what is wrong with Hot Bags as a whole. */
  alarm(alarm: Alarm): void;
}

/** A message that was POSTed, and what came of it. */
interface Posted {
  message: PendingMessage;
  outcome: Outcome;
  attempt: Attempt;
  log: Logger;
}

/** The head of a chat that fails, and nobody knows whether it is its own fault. `until`: monotonic ms. */
interface Lone {
  message: PendingMessage;
  symptom: Symptom;
  until: number;
}

type End = "nothing" | "passed" | "through" | Rest<Cause>;

/** Takes pending messages to Hot Bags: in order within a chat, chats side by side, again until it works or the time is over. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #options: RelayOptions;
  readonly #judge: Judge;
  readonly #settlement: Settlement;
  readonly #lanes: MessageLanes;
  readonly #faults: StoreFaults;
  readonly #lone = new Map<number, Lone>();

  constructor(parts: RelayParts, options: RelayOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#judge = new Judge({ ...parts, probeBackoff: options.probeBackoff });
    this.#settlement = new Settlement({ ...parts, ...options });
    this.#faults = new StoreFaults(parts);
    this.#lanes = new MessageLanes({
      clock: parts.clock,
      timers: parts.timers,
      concurrency: options.concurrency,
      judge: this.#judge,
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
    if (this.#lone.has(chat)) this.#lanes.chats.release("alone", chat);
  }

  /** Begins no more attempts and waits for those under way. */
  async stop(): Promise<void> {
    await this.#lanes.stop();
  }

  /** What an operator wants to know of the way to Hot Bags. Times are wall-clock ms. */
  get status() {
    return { ...this.#judge.status, underWay: this.#lanes.underWay };
  }

  async #runChat(chat: number, isProbe: boolean): Promise<Verdict<Cause>> {
    const lone = this.#lone.get(chat);
    if (lone && !isProbe && this.#parts.clock.uptimeMs() < lone.until) return this.#askBehind(chat, lone);
    this.#lone.delete(chat);
    const end = await this.#deliver(() => this.#parts.store.messages.headOf(chat), false, isProbe);
    this.#faults.passed(chat);
    if (end === "nothing") return "empty";
    if (typeof end === "string") return "more";
    const found = this.#lone.get(chat);
    return found ? this.#askBehind(chat, found) : end;
  }

  /**
   * The head fails alone: the message behind it, if there is one, is asked as a witness. If it passes, the head steps
   * aside; if it fails too, all are held, and the order is kept.
   */
  async #askBehind(chat: number, lone: Lone): Promise<Verdict<Cause>> {
    const { message, symptom, until } = lone;
    const end = await this.#deliver(() => this.#parts.store.messages.behind(chat, message.seq), false, false);
    this.#faults.passed(chat);
    if (end !== "passed") {
      this.#lone.set(chat, lone);
      return { cause: "alone", until };
    }
    const judgement = this.#judge.convict(message.seq, symptom);
    await this.#settlement.stepAside(message, symptom, judgement, this.#logOf(message));
    this.#judge.forget(message.seq);
    this.#lone.delete(chat);
    this.#lanes.detached.schedule(chat, "backoff", until);
    return "more";
  }

  async #runDetached(chat: number, isProbe: boolean): Promise<Verdict<Cause>> {
    const { messages } = this.#parts.store;
    const end = await this.#deliver(() => messages.firstDetachedOf(chat), true, isProbe);
    this.#faults.passed(-chat);
    if (typeof end === "object" && end.cause !== "backoff") return end;
    // Another one may be due before the one that failed.
    const due = messages.detachedDueOf(chat);
    return due === undefined ? "empty" : { cause: "backoff", until: this.#dueAt(due) };
  }

  /** Takes the message that `read` gives as far as it gets. Throws when the store fails. */
  async #deliver(read: () => PendingMessage | undefined, isDetached: boolean, isProbe: boolean): Promise<End> {
    let posted: Posted | "nothing" | "held" | undefined;
    try {
      posted = await this.#post(read, isDetached, isProbe);
      if (posted === "nothing") return "nothing";
      if (posted === "held") return this.#held();
      const end = await this.#settle(posted);
      this.#faults.forget(posted.message.seq);
      return end;
    } catch (error) {
      const known = typeof posted === "object" ? posted : undefined;
      const seq = error instanceof RowUnreadableError ? error.row : known?.message.seq;
      if (seq === undefined || !(error instanceof RowUnreadableError || isDamage(error))) throw error;
      const rest = this.#faults.damaged(seq);
      if (rest) return rest;
      await this.#settlement.giveUp(seq, isDetached, known, error);
      this.#judge.forget(seq);
      this.#faults.forget(seq);
      return "through";
    }
  }

  /** One POST of the message that `read` gives, if there is one. */
  async #post(
    read: () => PendingMessage | undefined,
    isDetached: boolean,
    isProbe: boolean,
  ): Promise<Posted | "nothing" | "held"> {
    const { store, hotbags } = this.#parts;
    let attempt: Attempt | null = null;
    let isOver = false;
    try {
      const next = read();
      if (!next) return "nothing";
      attempt = this.#judge.begin(next.seq, isDetached, isProbe);
      if (!attempt) return "held";
      const log = this.#logOf(next);
      const message = await this.#withoutLostFiles(next, log);
      step("post:before");
      const outcome = await hotbags.post(message, new Body(message, store.files));
      step("post:after");
      isOver = true;
      return { message, outcome, attempt, log };
    } finally {
      if (!isOver && attempt) this.#judge.cancel(attempt);
      else if (!isOver && isProbe) this.#judge.forgo();
      if (!isOver && isProbe) this.#lanes.look();
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

  /** Writes the outcome down, after the judge has heard of it. Returns for what the lane rests; else it goes on. */
  async #settle({ message, outcome, attempt, log }: Posted): Promise<End> {
    if (outcome.kind === "answered") {
      if (this.#judge.passed(attempt)) this.#lanes.release();
      await this.#settlement.delivered(message, outcome, log);
      return "passed";
    }
    const { symptom } = outcome;
    if (symptom.status === 413 && message.inlined.length > 0) {
      this.#judge.cancel(attempt);
      await this.#settlement.leaveFilesOut(message, log);
      return "through";
    }
    const judgement = this.#judge.failed(attempt, symptom);
    const { finding, endsHold } = judgement;
    if (endsHold) this.#lanes.release();
    if (finding === "deployment" || attempt.terms === "probe") this.#lanes.look();
    const { counts, leaves } = CONSEQUENCES[finding];
    if (!counts) {
      log.warn({ status: symptom.status, rule: judgement.rule.name }, `${judgement.text}; held`);
      return this.#held(message);
    }
    const waitMs = await this.#settlement.failed(message, symptom, judgement, leaves, log);
    if (waitMs === null || leaves) this.#judge.forget(message.seq);
    if (waitMs === null) return "through";
    const until = this.#parts.clock.uptimeMs() + waitMs;
    if (attempt.isDetached) return { cause: "backoff", until };
    if (leaves) {
      this.#lanes.detached.schedule(message.chat, "backoff", until);
      return "through";
    }
    if (finding === "alone") this.#lone.set(message.chat, { message, symptom, until });
    return { cause: finding === "alone" ? "alone" : "backoff", until };
  }

  /**
   * All messages are held, and that is not counted against whoever happened to be asked. What the message had booked
   * before is waited for to its end. One that had nothing to wait for can be the next probe too, but those that have
   * waited for longer come before it.
   */
  #held(message?: PendingMessage): Rest<Cause> {
    const now = this.#parts.clock.uptimeMs();
    const dueAt = message ? this.#dueAt(message.next_attempt_at) : now;
    if (dueAt > now) return { cause: "backoff", until: dueAt };
    return { cause: "breaker", until: this.#judge.probeAt ?? now };
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
