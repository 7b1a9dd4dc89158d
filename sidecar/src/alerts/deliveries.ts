import { type Backoff, LogThrottle, steadyBackoffMs } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import type { Attempt, Channel, Notice } from "./notice.ts";

/** How long one attempt may take, ms. */
const ATTEMPT_MS = 15_000;

/** Waits of a channel that is away, and of a notice that it has refused: it can be mended while the notice is of use. */
const AWAY_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 5 * 60_000 };
const REFUSED_WAIT_MS = 15 * 60_000;

/** Failures in a row after which the channel counts as broken. */
const BROKEN_AT = 5;

/** A notice that could not be delivered for so long, ms, is given up. */
const MAX_AGE_MS = 24 * 3_600_000;

/** Notices that wait for one channel, at most: the oldest make room. */
export const MAX_WAITING = 200;

/** A notice that waits for a channel. */
export interface Waiting {
  readonly notice: Notice;
  /** When it was told, by the proven time, ms. */
  readonly toldAt: number;
  /** It is delivered, or given up, or has no way any more. */
  done(): void;
}

interface Queued {
  readonly of: Waiting;
  notBefore: number;
}

interface DeliveriesParts {
  channel: Channel;
  clock: Clock;
  timers: Timers;
  log: Logger;
  random: () => number;
  /** The time that has surely passed, ms. */
  provenNow(): number;
  attemptMs?: number;
}

/**
 * Brings notices to one channel: in their order, again until it works, or it is of no use any more. One that is refused
 * steps aside for those behind it. Messages never wait for any of it.
 */
export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #closing = new AbortController();
  #waiting: Queued[] = [];
  #underWay: { readonly of: Waiting; readonly ended: Promise<void> } | null = null;
  /** What is refused comes again and again. */
  readonly #throttle: LogThrottle;
  #failures = 0;
  #problem: string | null = null;
  /** The channel is away until then, monotonic ms. */
  #awayUntil = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #wake: (() => void) | null = null;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
    this.#throttle = new LogThrottle({ clock: parts.clock });
  }

  /** `problem`: why it is broken; null while it is not known to be. */
  get status(): { name: Channel["name"]; waiting: number; problem: string | null } {
    return { name: this.#parts.channel.name, waiting: this.#waiting.length, problem: this.#problem };
  }

  /** What is not delivered yet, in order. */
  get waiting(): readonly Waiting[] {
    return this.#waiting.map(({ of }) => of);
  }

  add(waiting: Waiting): void {
    this.#waiting.push({ of: waiting, notBefore: Number.NEGATIVE_INFINITY });
    while (this.#waiting.length > MAX_WAITING) {
      const oldest = this.#waiting[0];
      if (oldest) this.#giveUp(oldest.of, `${MAX_WAITING} newer ones wait`);
    }
    this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Somebody else goes on with these. Resolves when none of them is under way. */
  async withdraw(those: ReadonlySet<Waiting>): Promise<void> {
    this.#waiting = this.#waiting.filter(({ of }) => !those.has(of));
    this.#wake?.();
    if (this.#underWay && those.has(this.#underWay.of)) await this.#underWay.ended;
  }

  /** Ends what is under way; what waits stays in the store. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake?.();
    await this.#running;
    await this.#parts.channel.close();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const now = this.#parts.clock.uptimeMs();
      const next = this.#waiting.find(({ notBefore }) => notBefore <= now);
      const dueAt = Math.max(this.#awayUntil, next ? now : Math.min(...this.#waiting.map((it) => it.notBefore)));
      if (dueAt > now || !next) await this.#sleep(dueAt - now);
      else await this.#deliver(next);
    }
    // At once: what is added from here on needs another run.
    this.#running = null;
  }

  async #deliver(waiting: Queued): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#underWay = { of: waiting.of, ended };
    await this.#attempt(waiting);
    this.#underWay = null;
    resolve();
  }

  async #attempt(waiting: Queued): Promise<void> {
    const { channel, clock, log, random, provenNow, attemptMs = ATTEMPT_MS } = this.#parts;
    const { notice, toldAt } = waiting.of;
    const about = { alert: notice.kind, alert_id: notice.id, by: channel.name };
    const timeout = AbortSignal.timeout(attemptMs);
    const attempt = await channel.send(notice, AbortSignal.any([this.#closing.signal, timeout]));
    if (attempt.ok) {
      this.#failures = 0;
      this.#problem = null;
      this.#drop(waiting.of);
      log.info(about, "alert delivered");
      waiting.of.done();
      return;
    }
    if (this.#closing.signal.aborted) return;
    this.#failures += 1;
    if (!attempt.passes || this.#failures >= BROKEN_AT) this.#problem = attempt.why;
    if (provenNow() - toldAt >= MAX_AGE_MS) return this.#giveUp(waiting.of, attempt.why);
    const waitMs = this.#waitAfter(attempt, random);
    if (attempt.passes) this.#awayUntil = clock.uptimeMs() + waitMs;
    else waiting.notBefore = clock.uptimeMs() + waitMs;
    const line = { ...about, next_attempt_ms: Math.round(waitMs) };
    if (attempt.passes) log.warn(line, `alert not delivered: ${attempt.why}`);
    else
      this.#throttle.log(() => log.error({ ...line, alarm: true }, `alert not delivered: ${attempt.why}`), attempt.why);
  }

  #waitAfter(attempt: Extract<Attempt, { ok: false }>, random: () => number): number {
    if (!attempt.passes) return REFUSED_WAIT_MS;
    return Math.max(attempt.waitMs ?? 0, steadyBackoffMs(AWAY_BACKOFF, this.#failures, random));
  }

  #giveUp(waiting: Waiting, why: string): void {
    const { channel, log } = this.#parts;
    const about = { alert: waiting.notice.kind, alert_id: waiting.notice.id, by: channel.name };
    this.#drop(waiting);
    log.error({ ...about, alarm: true }, `alert not delivered: ${why}; given up, it is in this log only`);
    waiting.done();
  }

  #drop(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter(({ of }) => of !== waiting);
  }

  /** Until then, a new notice, or the end. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#parts.timers.after(ms, () => this.#wake?.());
      this.#wake = () => {
        callOff();
        this.#wake = null;
        resolve();
      };
    });
  }
}
