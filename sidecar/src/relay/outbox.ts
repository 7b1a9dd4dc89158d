import { type Backoff, count, failpoint, LogThrottle, steadyBackoffMs } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Clock, systemTimers, type Timers } from "../clock.ts";
import {
  MAX_OUTBOUND_WAITING,
  NotOwnedError,
  type OutboundRules,
  type RecordedCommand,
  type SharedStore,
} from "../store/index.ts";
import { announce } from "./announce.ts";
import type { HotBags } from "./hotbags.ts";
import type { Polled } from "./outbox-answer.ts";
import { type Rule, ruleFor } from "./rules.ts";
import { ofOutbox } from "./sentences.ts";
import type { Symptom } from "./symptom.ts";

/** Waits while Hot Bags gives nothing, and while nobody is there who could: what only the operator can mend. */
const AWAY_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 60_000 };
const WRONG_BACKOFF: Backoff = { baseMs: 30_000, maxMs: 15 * 60_000 };

/** One that has nothing and does not wait for it is asked again after so long, ms. */
const NOTHING_MS = 5_000;

/** And one that gives nothing that waits here, which would end it some time, after so long, ms. */
const ENDLESS_MS = 1_000;

/** And one that gives nothing that may be sent: it may go on so for ever, and each has a row. */
const REFUSED_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 5 * 60_000 };

/** While there is something in the way on our side it is looked at again after so long, ms. */
const LOOK_AGAIN_MS = 1_000;

/** Where nobody is asked at all, it waits to be switched on, ms. */
const OFF_MS = 24 * 3_600_000;

/** While Hot Bags gives nothing, each failure is no news. One line in so long, ms. */
const LOG_EVERY_MS = 10 * 60_000;

export interface OutboxOptions {
  /** `off`: nobody is asked. */
  mode: "off" | OutboundRules["mode"];
  /** Where Hot Bags has it, below its base URL. */
  path: string;
  /** For so long Hot Bags may wait for a command, whole seconds. */
  waitSeconds: number;
  knownMs: number;
  newChatsPerDay: number;
}

interface OutboxParts {
  store: SharedStore;
  hotbags: Pick<HotBags, "poll">;
  /** The accounts that our own gateway has; empty: it has not said. */
  accounts(): Iterable<string>;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
  /** Told of a chat that has new commands to send, or whose pause has begun or ended. */
  onCommands(chat: number): void;
  /** Told of a new command that is in doubt from the beginning. */
  onDoubt(id: number): void;
  /** Something has changed that the operator may have to be told of. */
  onChange?(): void;
}

/**
 * Asks Hot Bags for what it wants to send without being asked: one question after the other, each answered when there is
 * something, or after a while. What comes is written down with the cursor behind it, so that after a crash nothing is
 * lost, and nothing comes twice. Neither messages nor replies ever wait for any of it. Of several sidecars on one store the one
 * asks that leads, for the accounts of all.
 */
export class Outbox {
  readonly #parts: OutboxParts;
  #options: OutboxOptions;
  readonly #timers: Timers;
  readonly #throttle: LogThrottle;
  /** Ends the question that is under way. */
  #question = new AbortController();
  #wake: () => void = () => {};
  #loop: Promise<void> | null = null;
  #isStopped = false;
  #unsubscribe = () => {};
  #failures = 0;
  /** Answers in a row that had commands, and none that may be sent. */
  #inVain = 0;
  #problem: string | null = null;
  #answeredAt: number | null = null;

  constructor(parts: OutboxParts, options: OutboxOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#timers = parts.timers ?? systemTimers;
    this.#throttle = new LogThrottle({ everyMs: LOG_EVERY_MS, clock: parts.clock });
  }

  start(): void {
    if (this.#loop) return;
    this.#unsubscribe = this.#parts.store.onLeads(() => {
      this.#forget();
      this.#question.abort();
      this.#wake();
    });
    this.#loop = this.#run();
  }

  /** Goes on with other options, at once. */
  adopt(options: OutboxOptions): void {
    const before = this.#options;
    this.#options = options;
    const isSame = (["mode", "path", "waitSeconds"] as const).every((name) => before[name] === options[name]);
    if (isSame && this.#problem === null) return;
    this.#forget();
    this.#throttle.over();
    this.#question.abort();
    this.#wake();
  }

  /** What an operator wants to know of it. `problem`: why Hot Bags gives nothing; null where it does, or is not asked. */
  get status() {
    const { mode } = this.#options;
    return {
      mode,
      lastAnswerAt: this.#answeredAt,
      problem: mode === "off" ? null : this.#problem,
    };
  }

  /** Asks no more. What is being written down is. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#question.abort();
    this.#wake();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#question.signal.aborted) this.#question = new AbortController();
      const { signal } = this.#question;
      const isFree = await this.#isFree().catch((error: unknown) => this.#parts.store.check(error) && false);
      const waitMs = isFree ? await this.#ask(signal) : this.#options.mode === "off" ? OFF_MS : LOOK_AGAIN_MS;
      // Other options came while something was looked up: nobody would wake what rests by the former ones.
      if (signal.aborted) continue;
      if (waitMs > 0 && !this.#isStopped) await this.#rest(waitMs);
    }
  }

  /** Nothing is in the way on our side. */
  async #isFree(): Promise<boolean> {
    const { store, accounts } = this.#parts;
    // What can't be sent stays where it is: Hot Bags can still take it back.
    return (
      this.#options.mode !== "off" &&
      store.leads &&
      store.outage === null &&
      (await store.knownAccounts(accounts())).size > 0 &&
      (await store.outbound.waiting()) < MAX_OUTBOUND_WAITING
    );
  }

  /** Returns how long to wait before the next question, ms. */
  async #ask(signal: AbortSignal): Promise<number> {
    const { store, hotbags, clock, log } = this.#parts;
    const { path, waitSeconds } = this.#options;
    const begunAt = clock.uptimeMs();
    try {
      const after = await store.outbound.cursorOf(path);
      if (signal.aborted) return 0;
      const outcome = await hotbags.poll({ path, after, waitSeconds }, signal);
      // Whatever it is, it was asked on terms that are over: it comes again.
      if (signal.aborted) return 0;
      if (outcome.kind === "failed") return this.#failed(outcome.symptom);
      if (outcome.commands.length > 0) failpoint("poll:after");
      const recorded = await this.#take(outcome, path, after);
      this.#answered();
      // Empty: it does not go on like that for ever.
      if (outcome.commands.length === 0) this.#inVain = 0;
      if (recorded.length === 0) return Math.max(0, begunAt + NOTHING_MS - clock.uptimeMs());
      if (recorded.some(({ outcome: end }) => end === "pending")) {
        this.#inVain = 0;
        return 0;
      }
      if (recorded.some(isOfUse)) {
        this.#inVain = 0;
        return Math.max(0, begunAt + ENDLESS_MS - clock.uptimeMs());
      }
      this.#inVain += 1;
      return steadyBackoffMs(REFUSED_BACKOFF, this.#inVain, this.#parts.random);
    } catch (error) {
      // Another sidecar leads now, and asks for it.
      if (error instanceof NotOwnedError) return LOOK_AGAIN_MS;
      // Only the store throws: an outage has its own line in the log.
      store.check(error);
      this.#throttle.log(
        () => log.error({ err: error, alarm: true }, "what is in the outbox can't be written"),
        "store",
      );
      return LOOK_AGAIN_MS;
    }
  }

  async #take({ cursor, commands }: Polled, path: string, after: string): Promise<RecordedCommand[]> {
    const { store, accounts, log, onCommands, onDoubt } = this.#parts;
    const { mode, knownMs, newChatsPerDay } = this.#options;
    if (mode === "off" || (commands.length === 0 && cursor === after && !(await store.outbound.isBehind(path))))
      return [];
    const known = await store.knownAccounts(accounts());
    const rules = { mode, knownMs, newChatsPerDay, hasAccount: (id: string) => known.has(id) };
    const recorded = await store.outbound.take({ path, after, cursor, commands }, rules);
    if (commands.length > 0) log.info({ commands: recorded.length }, "taken from the outbox of Hot Bags");
    announce(recorded, log);
    for (const { id, outcome } of recorded) if (id !== null && outcome === "in_doubt") onDoubt(id);
    const chats = new Set(
      recorded.flatMap(({ chat, outcome }) => (outcome === "pending" || outcome === "done" ? chat : [])),
    );
    // What is another sidecar's finds nothing to do here: its own finds it by its next look.
    for (const chat of chats) onCommands(chat);
    return recorded;
  }

  #answered(): void {
    if (this.#problem !== null) this.#parts.log.info("the outbox of Hot Bags answers again");
    this.#throttle.over();
    this.#answeredAt = this.#parts.clock.now();
    this.#forget();
  }

  #forget(): void {
    const { onChange } = this.#parts;
    const had = this.#problem !== null;
    this.#problem = null;
    this.#failures = 0;
    if (had) onChange?.();
  }

  /** Returns how long to wait, ms. */
  #failed(symptom: Symptom): number {
    const { log, random, onChange } = this.#parts;
    const rule = ruleFor(symptom);
    const text = ofOutbox(symptom, rule);
    this.#failures += 1;
    const isNew = this.#problem === null;
    this.#problem = text;
    if (isNew) onChange?.();
    const backoff = isLasting(rule) ? WRONG_BACKOFF : AWAY_BACKOFF;
    const waitMs = Math.max(symptom.retryAfterMs ?? 0, steadyBackoffMs(backoff, this.#failures, random));
    const about = { status: symptom.status, rule: rule.name, wait_ms: Math.round(waitMs) };
    this.#throttle.log(
      () => log.warn(about, `the outbox was asked ${count(this.#failures, "time")} in vain: ${text}`),
      rule.name,
    );
    return waitMs;
  }

  async #rest(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const callOff = this.#timers.after(ms, resolve);
    await promise;
    callOff();
    this.#wake = () => {};
  }
}

/** Done, or somebody may want to know of it: it must not wait for long. */
function isOfUse({ outcome }: RecordedCommand): boolean {
  return outcome === "done" || outcome === "in_doubt";
}

/** It does not pass by itself. */
function isLasting({ fault }: Rule): boolean {
  return fault === "address" || fault === "credentials" || fault === "gate" || fault === "contract";
}
