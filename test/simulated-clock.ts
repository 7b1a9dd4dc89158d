import type { Clock } from "../sidecar/src/clock.ts";

interface Timer {
  at: number;
  wake: () => void;
}

/**
 * A clock that stands still until a test moves it, with the timers that run by it. Both of its times move together
 * unless the wall clock is set.
 */
export class SimulatedClock implements Clock {
  #uptimeMs = 1_000;
  #wallOffsetMs = Date.parse("2026-03-01T12:00:00Z");
  readonly #timers = new Set<Timer>();

  now = (): number => this.#uptimeMs + this.#wallOffsetMs;
  uptimeMs = (): number => this.#uptimeMs;
  bootMs = (): number => this.#uptimeMs;

  after = (ms: number, wake: () => void): (() => void) => {
    const timer = { at: this.#uptimeMs + Math.max(0, ms), wake };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Moves on, and calls what is due on the way, in order. */
  advance(ms: number): void {
    const end = this.#uptimeMs + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#uptimeMs = Math.max(this.#uptimeMs, next.at);
      this.#timers.delete(next);
      next.wake();
    }
    this.#uptimeMs = end;
  }

  /** Moves to the next timer, if one is set within `ms`, and calls it; else as far as that. True when there was one. */
  advanceToNext(ms: number): boolean {
    const next = this.#next(this.#uptimeMs + ms);
    this.advance(next ? Math.max(0, next.at - this.#uptimeMs) : ms);
    return next !== undefined;
  }

  /** Sets the wall clock forward or, negative, back. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= end && (!first || timer.at < first.at)) first = timer;
    return first;
  }
}
