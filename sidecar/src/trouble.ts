import type { Clock } from "./clock.ts";

/**
 * Says a trouble that lasts once, and with a clock again each time that `everyMs` has passed, but never once an attempt: a bad night must stay visible without
 * filling the log. Another trouble, by its name, is said at once.
 */
export class Trouble {
  readonly #again: { clock: Clock; everyMs: number } | undefined;
  #said: { what: string; at: number } | null = null;

  constructor(again?: { clock: Clock; everyMs: number }) {
    this.#again = again;
  }

  say(what: string, write: () => void): void {
    const at = this.#again?.clock.uptimeMs() ?? 0;
    const isDue = this.#again !== undefined && this.#said !== null && at - this.#said.at >= this.#again.everyMs;
    if (this.#said?.what === what && !isDue) return;
    this.#said = { what, at };
    write();
  }

  /** It has passed: the next one is said at once. */
  over(): void {
    this.#said = null;
  }
}
