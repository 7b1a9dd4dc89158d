import { guarded } from "./guard.ts";
import type { Log } from "./log.ts";

/** How long, ms, lines wait for others while many come. */
const GATHER_MS = 1_000;
/** Lines of a burst that are written at once: enough for the messages of a quiet shop. */
const AT_ONCE = 3;
/** More lines than this don't wait. */
const MAX_GATHERED = 200;

/**
 * A log for one line per message. A few lines are written at once. While many come they are gathered, and written
 * together once a second, each with its own time: a call of OpenClaw's log costs as much as all the rest of the plugin
 * does for a message. Warnings and errors never wait, and what came before them is written first. A kill loses the lines
 * of its last second, never a message. It never throws, whatever OpenClaw's log does: nothing that is worth a line may
 * fail for it.
 */
export class BurstLog implements Log {
  readonly #log: Log;
  readonly #gatherMs: number;
  #gathered: string[] = [];
  #writtenAtOnce = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log, gatherMs = GATHER_MS) {
    const level = (name: keyof Log) => guarded((text: string) => log[name](text), ignore);
    this.#log = { info: level("info"), warn: level("warn"), error: level("error") };
    this.#gatherMs = gatherMs;
  }

  info(text: string): void {
    this.#timer ??= this.#gather();
    if (this.#writtenAtOnce < AT_ONCE) {
      this.#writtenAtOnce += 1;
      this.#log.info(text);
      return;
    }
    this.#gathered.push(`${new Date().toISOString()} ${text}`);
    if (this.#gathered.length >= MAX_GATHERED) this.#write();
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

  /** A burst that goes on stays gathered; after a pause, lines are written at once again. */
  #timeIsUp(): void {
    this.#timer = undefined;
    if (this.#gathered.length === 0) {
      this.#writtenAtOnce = 0;
      return;
    }
    this.#write();
    this.#timer = this.#gather();
  }

  #gather(): NodeJS.Timeout {
    return setTimeout(
      guarded(() => this.#timeIsUp(), ignore),
      this.#gatherMs,
    ).unref();
  }

  #write(): void {
    if (this.#gathered.length > 0) this.#log.info(this.#gathered.splice(0).join("\n"));
  }
}

/** There is no other place to say it. */
function ignore(): void {}
