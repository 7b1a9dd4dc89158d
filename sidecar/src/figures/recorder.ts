import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { beginOf, emptyTally, type Hop, type Store, StoreUnwritableError, type Tally } from "../store/index.ts";
import { addDuration } from "./durations.ts";
import type { Running } from "./series.ts";

const MINUTE_S = 60;
const MINUTE_MS = MINUTE_S * 1_000;

/** How often it is looked how much waits, ms. */
const LOOK_EVERY_MS = 5_000;

interface RecorderParts {
  store: Pick<Store, "counters" | "failures" | "figures">;
  clock: Clock;
  timers: Timers;
  log: Logger;
}

/** What is counted in the database with the messages themselves. */
interface Counted {
  messagesIn: number;
  repliesOut: number;
  deadLetters: number;
  failedReplies: number;
}

/**
 * Counts what passes, in memory, and writes it down once a minute: a message costs some additions, and a crash the minute
 * that runs. A minute that can't be written, or counted, is not known afterwards; nothing waits for it.
 */
export class FigureRecorder {
  readonly #parts: RecorderParts;
  readonly #throttle: LogThrottle;
  #tally = emptyTally();
  #counted: Counted | null;
  /** Of the tally, monotonic ms. */
  #beganAt: number;
  #endsAt: number;
  /** The most that is known to wait, as far as was seen. */
  #waiting = 0;
  /** The minute that was written last, s since 1970, and by which clocks. */
  #last: { at: number; now: number; uptimeMs: number } | null = null;
  /** The wall clock has gone ahead without that time having passed: it was set right, or wrong, or the machine was paused. */
  #hasLeapt = false;
  #callOff = () => {};

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#throttle = new LogThrottle({ clock: parts.clock });
    this.#beganAt = parts.clock.uptimeMs();
    this.#endsAt = this.#minuteEnd();
    this.#counted = this.#look();
  }

  start(): void {
    this.#schedule();
  }

  /** Writes what is not written yet. Never rejects. */
  async stop(): Promise<void> {
    this.#callOff();
    await this.#write();
  }

  /** A message came, and waits for Hot Bags (1), or has been answered (-1). */
  waits(by: 1 | -1): void {
    this.#waiting = Math.max(0, this.#waiting + by);
    this.#tally.waiting = Math.max(this.#tally.waiting, this.#waiting);
  }

  took(hop: Hop, ms: number): void {
    addDuration(this.#tally.hops[hop], ms);
  }

  /** `kind`: one of a closed list. */
  failed(kind: string, count = 1): void {
    const { failures } = this.#tally;
    failures[kind] = (failures[kind] ?? 0) + count;
  }

  /** The minute that runs, as far as it is; null: it can't be counted. `goesOn`: with what is written of it already. */
  running(): Running | null {
    const tally = structuredClone(this.#tally);
    if (this.#count(tally) === null) return null;
    const at = beginOf(this.#middle(), MINUTE_S);
    return { at, tally, goesOn: this.#last === null || beginOf(this.#last.at, MINUTE_S) === at };
  }

  #schedule(): void {
    const { clock, timers } = this.#parts;
    const leftMs = this.#endsAt - clock.uptimeMs();
    this.#callOff = timers.after(Math.max(0, Math.min(LOOK_EVERY_MS, leftMs)), () => {
      if (clock.uptimeMs() < this.#endsAt) this.#look();
      else void this.#write();
      this.#schedule();
    });
  }

  /** Begins with the next minute, and writes this one. */
  async #write(): Promise<void> {
    const { store, clock, log } = this.#parts;
    const at = this.#middle();
    const counted = this.#count(this.#tally);
    const tally = this.#tally;
    const before = this.#last;
    this.#tally = emptyTally();
    this.#beganAt = clock.uptimeMs();
    this.#endsAt = this.#minuteEnd();
    this.#counted = this.#look();
    if (counted === null) return;
    const withdrawn = this.#withdrawn();
    this.#last = { at, now: clock.now(), uptimeMs: clock.uptimeMs() };
    try {
      await store.figures.add(at, tally, before?.at ?? null, withdrawn);
    } catch (error) {
      // An outage has its own line in the log.
      if (error instanceof StoreUnwritableError) return;
      const why = codeOf(error) || "the database can't be written";
      this.#throttle.log(() => log.warn({ err: error }, "the figures of a minute are lost"), why);
    }
  }

  /** Adds what the database has counted since the tally began. Null: it can't be read. */
  #count(tally: Tally): Counted | null {
    const before = this.#counted;
    const now = this.#look(tally);
    if (before === null || now === null) return null;
    const added = (name: keyof Counted) => Math.max(0, now[name] - before[name]);
    tally.messagesIn = added("messagesIn");
    tally.repliesOut = added("repliesOut");
    for (const [kind, name] of COUNTED_FAILURES) if (added(name) > 0) tally.failures[kind] = added(name);
    return now;
  }

  /** Looks how much waits, and what was counted so far. Null: that can't be read. */
  #look(tally = this.#tally): Counted | null {
    const { counters, failures } = this.#parts.store;
    try {
      const counts = counters.read();
      this.#waiting = counts.pending;
      tally.waiting = Math.max(tally.waiting, counts.pending);
      tally.repliesWaiting = Math.max(tally.repliesWaiting, counts.commands_pending);
      return {
        messagesIn: counts.accepted,
        repliesOut: counts.commands_sent,
        deadLetters: failures.latest("dead")?.count ?? 0,
        failedReplies: failures.latest("command_failed")?.count ?? 0,
      };
    } catch {
      // A damaged page: whoever needs it for a message says so.
      return null;
    }
  }

  /** In the minute that the tally is of, s since 1970, by what the wall clock says now. */
  #middle(): number {
    const { clock } = this.#parts;
    return Math.floor((clock.now() - (clock.uptimeMs() - this.#beganAt) / 2) / 1_000);
  }

  /** When the minute of the wall clock ends, monotonic ms. */
  #minuteEnd(): number {
    const { clock } = this.#parts;
    return clock.uptimeMs() + MINUTE_MS - (clock.now() % MINUTE_MS);
  }

  /**
   * Up to which time what was written is of a clock that was ahead and is back again, s since 1970; null: it is not.
   * Where it is only set back, what stands there may as well be right.
   */
  #withdrawn(): number | null {
    const { clock } = this.#parts;
    if (this.#last === null) return null;
    const leapMs = clock.now() - this.#last.now - (clock.uptimeMs() - this.#last.uptimeMs);
    const isBack = this.#hasLeapt && leapMs < -MINUTE_MS;
    if (Math.abs(leapMs) > MINUTE_MS) this.#hasLeapt = leapMs > 0;
    return isBack ? this.#last.at : null;
  }
}

const COUNTED_FAILURES = [
  ["dead-letter", "deadLetters"],
  ["reply-failed", "failedReplies"],
] as const satisfies [string, keyof Counted][];
