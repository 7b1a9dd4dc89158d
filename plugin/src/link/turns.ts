import { guarded } from "../host/guard.ts";

/**
 * Calls `turn` once for all that happens in one turn of the event loop, and when time alone brings something about.
 * `failed` is told what it throws. Times are those of `performance.now()`.
 */
export class Turns {
  readonly #turn: () => void;
  readonly #failed: (error: unknown) => void;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #dueMs: number | undefined;

  constructor(turn: () => void, failed: (error: unknown) => void) {
    this.#turn = turn;
    this.#failed = failed;
  }

  soon(): void {
    const run = () => {
      this.#soon = undefined;
      this.#turn();
    };
    this.#soon ??= setImmediate(guarded(run, this.#failed));
  }

  /** At `dueMs`, and not at what was said before; never if that is undefined. */
  at(dueMs: number | undefined): void {
    if (dueMs === this.#dueMs) return;
    clearTimeout(this.#later);
    this.#dueMs = dueMs;
    if (dueMs === undefined) return;
    const run = () => {
      this.#dueMs = undefined;
      this.soon();
    };
    // A timer may be a little early.
    this.#later = setTimeout(guarded(run, this.#failed), dueMs - performance.now() + 1);
  }

  stop(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
  }
}
