import type { Logger } from "pino";
import type { Store } from "../store/index.ts";

/** A time server's small corrections and a busy machine are no news. */
const NOTABLE_MS = 5 * 60_000;

/** Says each jump of the machine's clock once, and what it does not do here. */
export class ClockLog {
  readonly #store: Store;
  readonly #log: Logger;
  #saidMs = 0;

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** To be called now and then. */
  look(): void {
    const jumpMs = this.#store.clockJumpMs;
    const newMs = jumpMs - this.#saidMs;
    if (Math.abs(newMs) < NOTABLE_MS) return;
    this.#saidMs = jumpMs;
    const way = newMs > 0 ? "went forward without that time having passed" : "was set back";
    const what = `this machine's clock ${way}: nothing is forgotten for it. If it is wrong now, set it right`;
    this.#log.warn({ clock_jump_ms: newMs, clock: new Date().toISOString() }, what);
  }
}
