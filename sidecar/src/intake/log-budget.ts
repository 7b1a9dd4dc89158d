/** Lines of one kind within a minute: enough to see each of what happens now and then. */
const LINES = 20;
const WINDOW_MS = 60_000;

/** The part of a clock that is needed here: monotonic ms. */
interface Uptime {
  uptimeMs(): number;
}

/** What a line says beside its subject. */
export interface Beside {
  /** How many lines of this kind were left out before this one. */
  readonly fields: { readonly left_out?: number };
  /** Ends the line's text: "" unless it is the last one for now. */
  readonly note: string;
}

const LAST = " (more such lines within this minute are counted only)";

/**
 * Writes each line of one kind while they are few. Of what comes as often as somebody likes it writes 20 a minute,
 * counts the rest, and says how many these were with the next line: a log must not fill the disk, whoever talks.
 */
export class LogBudget {
  readonly #clock: Uptime;
  #began = Number.NEGATIVE_INFINITY;
  #written = 0;
  #leftOut = 0;

  constructor(clock: Uptime = { uptimeMs: () => performance.now() }) {
    this.#clock = clock;
  }

  /** Calls `write`, unless this minute has had its lines. */
  log(write: (beside: Beside) => void): void {
    const now = this.#clock.uptimeMs();
    if (now - this.#began >= WINDOW_MS) {
      this.#began = now;
      this.#written = 0;
    }
    if (this.#written >= LINES) {
      this.#leftOut += 1;
      return;
    }
    this.#written += 1;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    write({ fields: leftOut > 0 ? { left_out: leftOut } : {}, note: this.#written === LINES ? LAST : "" });
  }
}
