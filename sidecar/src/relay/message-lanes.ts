import type { Clock, Timers } from "../clock.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Verdict } from "../lanes.ts";
import type { StoreFaults } from "../store-faults.ts";
import type { Width } from "../width.ts";
import type { Judge } from "./judge.ts";

/**
 * POSTs of detached messages under way at once: few, and in no other message's place, so that what is at fault delays
 * nothing that is not.
 */
export const DETACHED_CONCURRENCY = 4;

/**
 * Why a lane of messages rests:
 * - `backoff`: its head's next attempt is not due, or no detached message's is. That time is booked as spent
 *   retrying, so nothing shortens it.
 * - `alone`: the same, and nobody knows whether it is the head's own fault. Over when a message arrives behind it:
 *   that one is asked, and the head still waits.
 * - `breaker`: all messages are held. Over when Hot Bags takes one.
 * - `store`: the store could not be read or written.
 */
export type Cause = "backoff" | "alone" | "breaker" | "store";

type Run = (chat: number, probe: boolean) => Promise<Verdict<Cause>>;

interface MessageLanesParts {
  clock: Clock;
  timers: Timers | undefined;
  /** POSTs under way at once, those of detached messages apart. */
  width: Width;
  judge: Judge;
  faults: StoreFaults;
  runChat: Run;
  runDetached: Run;
}

/**
 * Two lanes a chat, of its messages in order and of its detached ones by when they are due, and the judge who may hold
 * all of them.
 */
export class MessageLanes {
  readonly chats: LaneRunner<Cause>;
  /** Messages that failed by their own fault, out of their chat's way. */
  readonly detached: LaneRunner<Cause>;
  readonly #judge: Judge;
  readonly #faults: StoreFaults;
  readonly #unsubscribe: () => void;

  constructor({ clock, timers, width, judge, faults, runChat, runDetached }: MessageLanesParts) {
    this.#judge = judge;
    this.#faults = faults;
    this.chats = new LaneRunner<Cause>({
      clock,
      timers,
      get concurrency() {
        return width.requests;
      },
      gate: (now) => this.#admitChat(now),
      run: (chat, admission) => runChat(chat, admission === "next"),
      failed: (chat, error) => faults.failed(chat, error),
    });
    this.detached = new LaneRunner<Cause>({
      clock,
      timers,
      concurrency: DETACHED_CONCURRENCY,
      gate: (now) => this.#admitDetached(now),
      run: (chat, admission) => runDetached(chat, admission === "next"),
      failed: (chat, error) => faults.failed(-chat, error),
    });
    this.#unsubscribe = faults.onRecovery(() => this.#release("store"));
  }

  get underWay(): number {
    return this.chats.underWay + this.detached.underWay;
  }

  /** Nothing is held any more. */
  release(): void {
    this.#release("breaker");
  }

  /** A hold has begun, or a probe has ended: each kind of lane asks anew when it may go. */
  look(): void {
    this.chats.look();
    this.detached.look();
  }

  /** Resolves when what is under way now has ended. */
  async settled(): Promise<void> {
    await Promise.all([this.chats.settled(), this.detached.settled()]);
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.chats.stop(), this.detached.stop()]);
  }

  #release(cause: Cause): void {
    this.chats.release(cause);
    this.detached.release(cause);
  }

  /** While all are held, a lane that is due goes first as a probe; where none is, one that waits for its backoff. */
  #admitChat(now: number): Admission {
    // An answer that can't be written down would only be asked for again.
    if (this.#faults.isOutage) return { notBefore: Number.POSITIVE_INFINITY };
    if (!this.#judge.isHolding) return "due";
    // That one's own gate takes the probe, in the same turn.
    if (this.#judge.wantsDetached && this.detached.nextDueAt <= now) return { notBefore: Number.POSITIVE_INFINITY };
    const admission = this.#probe(now);
    return admission !== "next" && this.chats.nextDueAt <= now && this.#judge.wantsWitness ? "due" : admission;
  }

  /**
   * What is at fault itself tells little of Hot Bags: it is a probe only when it is due, and where no chat has one, or
   * the last of those was in vain.
   */
  #admitDetached(now: number): Admission {
    if (this.#faults.isOutage) return { notBefore: Number.POSITIVE_INFINITY };
    if (!this.#judge.isHolding) return "due";
    const dueAt = this.detached.nextDueAt;
    if (dueAt > now) return { notBefore: dueAt };
    const hasChat = this.chats.underWay > 0 || this.chats.nextDueAt !== Number.POSITIVE_INFINITY;
    if (hasChat && !this.#judge.wantsDetached) return { notBefore: Number.POSITIVE_INFINITY };
    return this.#probe(now);
  }

  #probe(now: number): Admission {
    return this.#judge.mayProbe(now) ? "next" : { notBefore: this.#judge.probeAt ?? now };
  }
}
