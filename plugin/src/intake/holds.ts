import { guarded } from "../host/guard.ts";

/** How long each held message still waits for something more complete. The timers of an instance, nothing on disk. */
export class Holds {
  readonly #release: (seq: number) => boolean;
  readonly #retryMs: number;
  readonly #timers = new Map<number, NodeJS.Timeout>();

  /** `release` is called when a hold is over; again after `retryMs` if it returned false, or threw. */
  constructor(release: (seq: number) => boolean, retryMs: number) {
    this.#release = release;
    this.#retryMs = retryMs;
  }

  /** Begins a hold, unless there is one. */
  begin(seq: number, holdMs: number): void {
    if (this.#timers.has(seq)) return;
    const again = () => this.begin(seq, this.#retryMs);
    const over = () => {
      this.#timers.delete(seq);
      if (!this.#release(seq)) again();
    };
    this.#timers.set(seq, setTimeout(guarded(over, again), holdMs));
  }

  /** The message need not be held any longer. */
  end(seq: number): void {
    clearTimeout(this.#timers.get(seq));
    this.#timers.delete(seq);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
