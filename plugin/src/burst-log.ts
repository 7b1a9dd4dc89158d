import type { Log } from "./log.ts";

/** How long, ms, lines wait for others while many come. */
const GATHER_MS = 1_000;
/** More lines than this don't wait. */
const MAX_GATHERED = 200;

/**
 * A log for one line per message. Alone it is written at once; while many come they are written together once a second,
 * because each call costs OpenClaw as much as all the rest of the plugin does for a message. Warnings and errors never
 * wait, and what came before them is written first. A kill loses the lines of its last second, never a message.
 */
export class BurstLog implements Log {
  readonly #log: Log;
  readonly #gatherMs: number;
  #gathered: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, gatherMs = GATHER_MS) {
    this.#log = log;
    this.#gatherMs = gatherMs;
  }

  info(text: string): void {
    this.#gathered.push(text);
    if (this.#timer === undefined || this.#gathered.length >= MAX_GATHERED) this.#write();
    this.#timer ??= setTimeout(() => this.#timeIsUp(), this.#gatherMs).unref();
  }

  warn(text: string): void {
    this.#write();
    this.#log.warn(text);
  }

  error(text: string): void {
    this.#write();
    this.#log.error(text);
  }

  /** Writes what still waits. Afterwards nothing is left running. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#write();
  }

  #timeIsUp(): void {
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    this.#write();
    this.#timer = setTimeout(() => this.#timeIsUp(), this.#gatherMs).unref();
  }

  #write(): void {
    if (this.#gathered.length > 0) this.#log.info(this.#gathered.splice(0).join("\n"));
  }
}
