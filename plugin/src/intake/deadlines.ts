import { guarded } from "../host/guard.ts";

/** Until when each incomplete message waits for something more complete. The timers of an instance, nothing on disk. */
export class Deadlines {
  readonly #release: (seq: number) => boolean;
  readonly #retryMs: number;
  readonly #timers = new Map<number, NodeJS.Timeout>();

  /** `release` is called at a deadline; again after `retryMs` if it returned false, or threw. */
  constructor(release: (seq: number) => boolean, retryMs: number) {
    this.#release = release;
    this.#retryMs = retryMs;
  }

  /** Sets a deadline, unless there is one. */
  set(seq: number, waitMs: number): void {
    if (this.#timers.has(seq)) return;
    const again = () => this.set(seq, this.#retryMs);
    const over = () => {
      this.#timers.delete(seq);
      if (!this.#release(seq)) again();
    };
    this.#timers.set(seq, setTimeout(guarded(over, again), waitMs));
  }

  /** The message is complete. */
  clear(seq: number): void {
    clearTimeout(this.#timers.get(seq));
    this.#timers.delete(seq);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
