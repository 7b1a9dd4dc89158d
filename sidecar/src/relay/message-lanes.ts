import type { Clock, Timers } from "../clock.ts";
import { type Admission, LaneRunner } from "../lane-runner.ts";
import type { Verdict } from "../lanes.ts";
import type { StoreFaults } from "../store-faults.ts";
import type { Breaker } from "./breaker.ts";

/**
 * POSTs of detached messages under way at once: few, and in no other message's place, so that what is at fault delays
 * nothing that is not.
 */
export const DETACHED_CONCURRENCY = 4;

/**
 * Why a lane of messages rests:
 * - `backoff`: its head's next attempt is not due, or no detached message's is. That time is booked as spent
 *   retrying, so nothing shortens it.
 * - `breaker`: its head was the probe that failed. Over when Hot Bags answers.
 * - `store`: the store could not be read or written.
 */
export type Cause = "backoff" | "breaker" | "store";

type Run = (chat: number, probe: boolean) => Promise<Verdict<Cause>>;

interface MessageLanesParts {
  clock: Clock;
  timers: Timers | undefined;
  /** POSTs under way at once, those of detached messages apart. */
  concurrency: number;
  breaker: Breaker;
  faults: StoreFaults;
  runChat: Run;
  runDetached: Run;
}

/**
 * Two lanes a chat, of its messages in order and of its detached ones by when they are due, and the breaker that
 * stands before all of them.
 */
export class MessageLanes {
  readonly chats: LaneRunner<Cause>;
  /** Messages that failed by their own fault, out of their chat's way. */
  readonly detached: LaneRunner<Cause>;
  readonly #breaker: Breaker;
  readonly #faults: StoreFaults;
  readonly #unsubscribe: () => void;

  constructor({ clock, timers, concurrency, breaker, faults, runChat, runDetached }: MessageLanesParts) {
    this.#breaker = breaker;
    this.#faults = faults;
    this.chats = new LaneRunner<Cause>({
      clock,
      timers,
      concurrency,
      gate: (now) => this.#admit(now, this.chats, this.detached),
      run: (chat, admission) => runChat(chat, admission === "next"),
      failed: (chat, error) => faults.failed(chat, error),
    });
    this.detached = new LaneRunner<Cause>({
      clock,
      timers,
      concurrency: DETACHED_CONCURRENCY,
      gate: (now) => this.#admit(now, this.detached, this.chats),
      run: (chat, admission) => runDetached(chat, admission === "next"),
      failed: (chat, error) => faults.failed(-chat, error),
    });
    this.#unsubscribe = faults.onRecovery(() => this.#release("store"));
  }

  get underWay(): number {
    return this.chats.underWay + this.detached.underWay;
  }

  /** The breaker has closed. */
  release(): void {
    this.#release("breaker");
  }

  /** A probe has ended: while it was out, neither kind of lane knew when the next one would be due. */
  look(): void {
    this.chats.look();
    this.detached.look();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all([this.chats.stop(), this.detached.stop()]);
  }

  #release(cause: Cause): void {
    this.chats.release(cause);
    this.detached.release(cause);
  }

  /**
   * An open breaker asks for its own probes: a lane that is due, of either kind; only where none is, one that waits
   * for its backoff.
   */
  #admit(now: number, own: LaneRunner<Cause>, other: LaneRunner<Cause>): Admission {
    // An answer that can't be written down would only be asked for again.
    if (this.#faults.isOutage) return { notBefore: Number.POSITIVE_INFINITY };
    const isForOther = this.#breaker.open && own.nextDueAt > now && other.nextDueAt <= now;
    if (isForOther) return { notBefore: Number.POSITIVE_INFINITY };
    const permission = this.#breaker.ask(now);
    if (permission === "wait") return { notBefore: this.#breaker.probeAt ?? Number.POSITIVE_INFINITY };
    return permission === "probe" ? "next" : "due";
  }
}
