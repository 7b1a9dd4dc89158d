import { setTimeout as after } from "node:timers/promises";
import { type Backoff, backoffMs, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { ListenError } from "./listening/listen-error.ts";
import { StoreUnusableError, StoreUnwritableError } from "./store/index.ts";

/** Waits before what was in the way of the start is tried again. A customer may be waiting. */
const BACKOFF: Backoff = { baseMs: 250, maxMs: 5_000 };

/** It was told to stop before it could start. */
export class StartCalledOffError extends Error {
  override readonly name = "StartCalledOffError";
}

/**
 * Waits out what is in the way of a start and passes by itself: a full disk, a port that is busy, a folder that is not
 * there yet. Ending for it would leave the sidecar down after it has passed.
 */
export class Starting {
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #logThrottle: LogThrottle;
  #problem: string | null = null;

  /** The signal calls the start off. */
  constructor(clock: Clock, log: Logger, signal: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
    this.#logThrottle = new LogThrottle({ clock });
  }

  /** What is waited for, in a sentence; null while nothing is. */
  get problem(): string | null {
    return this.#problem;
  }

  /** What `act` gives once it can. Rejects with what only a human can change, and with StartCalledOffError. */
  async whenPossible<T>(act: () => T | Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      if (this.#signal.aborted) throw new StartCalledOffError();
      try {
        const result = await act();
        this.#problem = null;
        return result;
      } catch (error) {
        if (!passes(error)) throw error;
        this.#wait(error.message);
        await after(backoffMs(BACKOFF, failures), undefined, { signal: this.#signal }).catch(() => {});
      }
    }
  }

  #wait(problem: string): void {
    this.#problem = problem;
    const what = `not started yet: ${problem} It is tried again every few seconds`;
    this.#logThrottle.log(() => this.#log.error({ alarm: true }, what), problem);
  }
}

function passes(error: unknown): error is Error {
  if (error instanceof StoreUnusableError || error instanceof ListenError) return error.passes;
  return error instanceof StoreUnwritableError;
}
