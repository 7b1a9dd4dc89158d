import { type Backoff, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import type { Rest, Verdict } from "../lanes.ts";
import { type Accepted, isDamage, type PendingMessage, RowUnreadableError, type SharedStore } from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import { Width } from "../width.ts";
import type { HotBags } from "./hotbags.ts";
import { type Alarm, Judge, type Turn } from "./judge.ts";
import { type Cause, MessageLanes } from "./message-lanes.ts";
import { type Posted, Poster } from "./poster.ts";
import { CONSEQUENCES } from "./rules.ts";
import { type AnswerRecorder, Settlement } from "./settlement.ts";
import { type Wait, type Waiting, whyWaits } from "./why-waits.ts";

export interface RelayOptions {
  /** POSTs under way at once, over all chats: at the least, and to a Hot Bags that answers at once. Those of detached messages come on top. */
  concurrency: { least: number; most: number };
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
    concurrency: { least: 32, most: 96 },
    backoff: { baseMs: 1_000, maxMs: maxRetryingMs / PARTS },
    probeBackoff: { baseMs: 1_000, maxMs: 60_000 },
    maxRetryingMs,
  };
}

interface RelayParts {
  store: SharedStore;
  hotbags: HotBags;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** See SettlementParts. */
  answer?: AnswerRecorder;
  /** Told of a chat that has new commands to execute. */
  onCommands(chat: number): void;
  /** Told of a new command that is in doubt from the beginning: a restore has lost what became of it. */
  onDoubt(id: number): void;
  /** Told of what is wrong with Hot Bags as a whole. */
  alarm(alarm: Alarm): void;
  /** Told of each POST that has ended, and of each message that was settled as delivered by it. */
  onPosted?(posted: Posted): void;
  onDelivered?(message: PendingMessage): void;
}

/** A message that was not taken. */
interface Failed {
  message: PendingMessage;
  /** It had failed before, and now by what need not meet every message: the one behind it may know more. */
  wantsWitness: boolean;
}

/** The head of a chat that fails, and nobody knows whether it is its own fault. `until`: monotonic ms. */
interface Lone {
  failed: Failed;
  until: number;
}

/** While all are held, a lane with nothing new to tell is looked at again after this, ms, as one that may be the probe. */
const LOOK_AGAIN_MS = 1_000;

/** While all are held, each failure of the same kind is no news: a night of it is some lines. One in so long, ms. */
const LOG_HOLD_EVERY_MS = 10 * 60_000;

/** Messages of one chat that are asked one after the other to find one that passes. */
const MAX_WALK = 5;

type End = "nothing" | "passed" | "through" | (Rest<Cause> & { failed?: Failed });

/** Takes pending messages to Hot Bags: in order within a chat, chats side by side, again until it works or the time is over. */
export class Relay {
  readonly #parts: RelayParts;
  #options: RelayOptions;
  readonly #judge: Judge;
  readonly #poster: Poster;
  readonly #settlement: Settlement;
  readonly #width: Width;
  readonly #lanes: MessageLanes;
  readonly #faults: StoreFaults;
  readonly #lone = new Map<number, Lone>();
  readonly #holdLog: LogThrottle;

  constructor(parts: RelayParts, options: RelayOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#holdLog = new LogThrottle({ everyMs: LOG_HOLD_EVERY_MS, clock: parts.clock });
    this.#judge = new Judge({ ...parts, probeBackoff: options.probeBackoff });
    this.#poster = new Poster({ ...parts, judge: this.#judge, onForgone: () => this.#lanes.look() });
    this.#settlement = new Settlement({ ...parts, ...options });
    this.#faults = new StoreFaults(parts);
    this.#width = new Width(options.concurrency);
    this.#lanes = new MessageLanes({
      clock: parts.clock,
      timers: parts.timers,
      width: this.#width,
      judge: this.#judge,
      faults: this.#faults,
      runChat: (chat, probe) => this.#runChat(chat, probe),
      runDetached: (chat, probe) => this.#runDetached(chat, probe),
    });
  }

  /**
   * Takes up what waits in the store; of one account that has become ours, or of all that are. Before anything of it is
   * offered: what is read here would hasten what has failed since.
   */
  async takeUp(account?: string): Promise<void> {
    const { messages } = this.#parts.store;
    const [heads, detached] = await Promise.all([messages.laneHeads(account), messages.detachedHeads(account)]);
    for (const { chat, next_attempt_at } of heads)
      this.#lanes.chats.schedule(chat, "backoff", this.#dueAt(next_attempt_at));
    for (const { chat, next_attempt_at } of detached)
      this.#lanes.detached.schedule(chat, "backoff", this.#dueAt(next_attempt_at));
  }

  /** Another process has written something of the account, as the dead letters that an operator has sent again: these are due at once. */
  async look(account: string): Promise<void> {
    const { messages, provenNow } = this.#parts.store;
    const [heads, detached] = await Promise.all([messages.laneHeads(account), messages.detachedHeads(account)]);
    for (const { chat, next_attempt_at } of heads) if (next_attempt_at <= provenNow()) this.retry(chat);
    for (const { chat, next_attempt_at } of detached)
      this.#lanes.detached.schedule(chat, "backoff", this.#dueAt(next_attempt_at));
  }

  /** An account is to be given back: resolves when the attempts that are under way have ended. */
  async leave(): Promise<void> {
    await this.#lanes.settled();
  }

  /** A message was accepted. Where it is known, and the first of its lane, it goes without being read again. */
  accepted({ chat, pending }: Accepted): void {
    // A probe is a turn of its own kind.
    const reserved = pending && !this.#judge.isHolding ? this.#lanes.chats.reserve(chat) : null;
    if (reserved) reserved(() => this.#runChat(chat, false, pending));
    else this.#offer(chat);
  }

  #offer(chat: number): void {
    this.#lanes.chats.offer(chat);
    if (this.#lone.has(chat)) this.#lanes.chats.release("alone", chat);
  }

  /** The operator sends messages of this chat again: they are tried at once, though others of it wait their backoff. */
  retry(chat: number): void {
    this.#lone.delete(chat);
    for (const cause of ["backoff", "alone"] as const) this.#lanes.chats.release(cause, chat);
    this.#offer(chat);
  }

  /** From the next failure on, messages are tried again for so long. Waits that are booked end when they were to. */
  adopt(changes: Pick<RelayOptions, "backoff" | "maxRetryingMs">): void {
    this.#options = { ...this.#options, ...changes };
    this.#settlement.adopt(changes);
  }

  /** Something has changed of which Hot Bags may have made all wait: the next probe goes now. */
  probe(): void {
    if (!this.#judge.isHolding) return;
    this.#judge.forgo();
    this.#lanes.look();
  }

  /** Begins no more attempts and waits for those under way. */
  async stop(): Promise<void> {
    await this.#lanes.stop();
  }

  /** What an operator wants to know of the way to Hot Bags. Times are wall-clock ms. */
  get status() {
    return { ...this.#judge.status, underWay: this.#lanes.underWay };
  }

  /** Why a message that is pending waits just now; null: it is about to go, or under way. */
  async whyWaits(message: Waiting): Promise<Wait | null> {
    const { store, clock } = this.#parts;
    return whyWaits(message, { store, clock, judge: this.#judge, lanes: this.#lanes });
  }

  /** `accepted`: what is probably its head. */
  async #runChat(chat: number, isProbe: boolean, accepted?: PendingMessage): Promise<Verdict<Cause>> {
    const lone = this.#lone.get(chat);
    if (lone && !isProbe && this.#parts.clock.uptimeMs() < lone.until) return this.#askBehindLone(chat, lone);
    this.#lone.delete(chat);
    const end = await this.#deliver(() => this.#headOf(chat, accepted), false, isProbe ? "probe" : "next");
    this.#faults.passed(chat);
    if (end === "nothing") return "empty";
    if (typeof end === "string") return "more";
    const { cause, until, failed } = end;
    if (failed && cause === "alone") {
      this.#lone.set(chat, { failed, until });
      return this.#askBehindLone(chat, { failed, until });
    }
    // Each lane's head is known to fail, or it would have been the probe: those behind them must be heard, too.
    if (failed?.wantsWitness && isProbe && (await this.#askBehind(chat, [failed]))) return "more";
    return { cause, until };
  }

  /** Another one is before it where the operator has just sent dead letters of the chat again. */
  async #headOf(chat: number, accepted: PendingMessage | undefined): Promise<PendingMessage | undefined> {
    const { messages } = this.#parts.store;
    if (accepted && (await messages.headSeqOf(chat)) === accepted.seq) return accepted;
    return messages.headOf(chat);
  }

  /** The head fails alone: the message behind it, if there is one, is asked as a witness. */
  async #askBehindLone(chat: number, lone: Lone): Promise<Verdict<Cause>> {
    if (!(await this.#askBehind(chat, [lone.failed]))) return { cause: "alone", until: lone.until };
    this.#lone.delete(chat);
    return "more";
  }

  /**
   * Messages of this chat have just failed: asks the one behind them. If it passes, it is their own fault, unless Hot
   * Bags was mended just then: they are asked once more at once, and step aside if they fail. If it fails, and not for
   * the first time, the one behind it is asked. Resolves with whether one passed.
   */
  async #askBehind(chat: number, failing: readonly Failed[]): Promise<boolean> {
    const { messages } = this.#parts.store;
    const last = failing.at(-1)?.message.seq ?? 0;
    const end = await this.#deliver(() => messages.behind(chat, last), false, "behind");
    this.#faults.passed(chat);
    if (end === "passed") {
      for (const { message } of failing) this.#judge.suspect(message.seq);
      return true;
    }
    if (typeof end === "string" || !end.failed?.wantsWitness || failing.length >= MAX_WALK) return false;
    return this.#askBehind(chat, [...failing, end.failed]);
  }

  async #runDetached(chat: number, isProbe: boolean): Promise<Verdict<Cause>> {
    const { messages } = this.#parts.store;
    const end = await this.#deliver(() => messages.firstDetachedOf(chat), true, isProbe ? "probe" : "next");
    this.#faults.passed(-chat);
    if (typeof end === "object" && end.cause !== "backoff") return { cause: end.cause, until: end.until };
    // Another one may be due before the one that failed.
    const due = await messages.detachedDueOf(chat);
    return due === undefined ? "empty" : { cause: "backoff", until: this.#dueAt(due) };
  }

  /** Takes the message that `read` gives as far as it gets. Throws when the store fails. */
  async #deliver(read: () => Promise<PendingMessage | undefined>, isDetached: boolean, turn: Turn): Promise<End> {
    const begun = this.#parts.clock.uptimeMs();
    let posted: Posted | "nothing" | "sits out" | undefined;
    try {
      posted = await this.#poster.post(read, isDetached, turn);
      if (posted === "nothing") return "nothing";
      if (posted === "sits out") return this.#sitOut(begun, turn);
      const end = await this.#settle(posted);
      this.#faults.forget(posted.message.seq);
      return end;
    } catch (error) {
      const known = typeof posted === "object" ? posted : undefined;
      const seq = error instanceof RowUnreadableError ? error.row : known?.message.seq;
      if (seq === undefined || !isDamage(error)) throw error;
      const rest = this.#faults.damaged(seq, error);
      if (rest) return rest;
      await this.#settlement.giveUp(seq, isDetached, known, error);
      this.#judge.forget(seq);
      this.#faults.forget(seq);
      return "through";
    }
  }

  /** Writes the outcome down, after the judge has heard of it. Returns for what the lane rests; else it goes on. */
  async #settle(posted: Posted): Promise<End> {
    const { message, outcome, attempt, log } = posted;
    this.#width.answered(outcome.kind === "answered" ? posted.durationMs : Number.POSITIVE_INFINITY);
    this.#parts.onPosted?.(posted);
    if (outcome.kind === "answered") {
      if (this.#judge.passed(attempt)) {
        this.#holdLog.over();
        this.#lanes.release();
      }
      await this.#settlement.delivered(posted, outcome);
      this.#parts.onDelivered?.(message);
      return "passed";
    }
    const { symptom } = outcome;
    if (symptom.status === 413 && message.inlined.length > 0) {
      this.#judge.cancel(attempt);
      await this.#settlement.leaveFilesOut(message, log);
      return "through";
    }
    const judgement = this.#judge.failed(attempt, symptom);
    const { finding, endsHold, rule } = judgement;
    const failed = { message, wantsWitness: attempt.isRepeated && rule.scope !== "certain" };
    if (endsHold) this.#lanes.release();
    if (finding === "deployment" || attempt.terms === "probe") this.#lanes.look();
    const { counts, leaves } = CONSEQUENCES[finding];
    if (!counts) {
      const about = { status: symptom.status, rule: rule.name };
      this.#holdLog.log(() => log.warn(about, `${judgement.text}; still waiting`), rule.name);
      if (!attempt.isDetached) return { ...this.#held(message), failed };
      const waitMs = await this.#settlement.postpone(posted, symptom, judgement);
      return { cause: "backoff", until: this.#parts.clock.uptimeMs() + waitMs };
    }
    const waitMs = await this.#settlement.failed(posted, symptom, judgement, leaves);
    if (waitMs === null || leaves) this.#judge.forget(message.seq);
    if (waitMs === null) return "through";
    const until = this.#parts.clock.uptimeMs() + waitMs;
    if (attempt.isDetached) return { cause: "backoff", until };
    if (leaves) {
      this.#lanes.detached.schedule(message.chat, "backoff", until);
      return "through";
    }
    return { cause: finding === "alone" ? "alone" : "backoff", until, failed };
  }

  /**
   * The message has nothing new to tell. Its lane does not wait for the next probe: while one is out that is far away,
   * and it would come last for ever.
   */
  #sitOut(begun: number, turn: Turn): Rest<Cause> {
    if (turn !== "probe") return { cause: "breaker", until: begun + LOOK_AGAIN_MS };
    // Not before, or a lane that is not even due would be taken while this one is out.
    this.#judge.forgo();
    return { cause: "breaker", until: begun };
  }

  /**
   * All messages are held, and that is not counted against whoever happened to be asked. What the message had booked
   * before is waited for to its end. One that had nothing to wait for can be the next probe too, but those that have
   * waited for longer come before it.
   */
  #held(message: PendingMessage): Rest<Cause> {
    const now = this.#parts.clock.uptimeMs();
    const dueAt = this.#dueAt(message.next_attempt_at);
    if (dueAt > now) return { cause: "backoff", until: dueAt };
    return { cause: "breaker", until: this.#judge.probeAt ?? now };
  }

  /**
   * A stored time as a monotonic one. Never further away than the longest wait: an older release wrote down the wall
   * clock's.
   */
  #dueAt(provenMs: number): number {
    const { clock, store } = this.#parts;
    const longest = Math.max(this.#options.backoff.maxMs, MAX_RETRY_AFTER_MS);
    return clock.uptimeMs() + Math.min(Math.max(0, provenMs - store.provenNow()), longest);
  }
}
