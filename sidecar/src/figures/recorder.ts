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

/** A minute that is written, s since 1970, and by which clocks. */
interface Wrote {
  at: number;
  now: number;
  uptimeMs: number;
}

/**
 * Counts what passes, in memory, and writes it down once a minute: a message costs some additions, and a crash the minute
 * that runs. A minute that can't be written, or counted, is not known afterwards; nothing waits for it.
 */
export class FigureRecorder {
  readonly #parts: RecorderParts;
  readonly #throttle: LogThrottle;
  #tally = emptyTally();
  /** What was counted when the tally began; null: that can't be read. It may be under way still. */
  #counted: Promise<Counted | null> = Promise.resolve(null);
  /** Of the tally, monotonic ms. */
  #beganAt: number;
  #endsAt: number;
  /** The most that is known to wait, as far as was seen. */
  #waiting = 0;
  /** The minute that was written last. */
  #last: Wrote | null = null;
  /** The wall clock has gone ahead without that time having passed: it was set right, or wrong, or the machine was paused. */
  #hasLeapt = false;
  #callOff = () => {};
  #counting: Promise<unknown> = Promise.resolve();

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#throttle = new LogThrottle({ clock: parts.clock });
    this.#beganAt = parts.clock.uptimeMs();
    this.#endsAt = this.#minuteEnd();
  }

  /** Counts from now on. */
  start(): void {
    this.#counted = this.#look();
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
  async running(): Promise<Running | null> {
    const tally = structuredClone(this.#tally);
    const counted = [this.#counted, this.#look(tally)] as const;
    // The next minute may begin while that is looked up.
    const at = beginOf(this.#middle(), MINUTE_S);
    const goesOn = this.#last === null || beginOf(this.#last.at, MINUTE_S) === at;
    return add(tally, await Promise.all(counted)) ? { at, tally, goesOn } : null;
  }

  #schedule(): void {
    const { clock, timers } = this.#parts;
    const leftMs = this.#endsAt - clock.uptimeMs();
    this.#callOff = timers.after(Math.max(0, Math.min(LOOK_EVERY_MS, leftMs)), () => {
      if (clock.uptimeMs() < this.#endsAt) void this.#look();
      else void this.#write();
      this.#schedule();
    });
  }

  /** Begins with the next minute, and writes this one. */
  #write(): Promise<void> {
    const { clock } = this.#parts;
    const at = this.#middle();
    const tally = this.#tally;
    const before = this.#counted;
    this.#tally = emptyTally();
    this.#beganAt = clock.uptimeMs();
    this.#endsAt = this.#minuteEnd();
    // What waits now is of both.
    this.#counted = this.#look(tally, this.#tally);
    const counted = [before, this.#counted] as const;
    const wrote = { at, now: clock.now(), uptimeMs: clock.uptimeMs() };
    // What was counted of one minute is handed in before that of the next.
    const counting = this.#counting.then(() => Promise.all(counted));
    this.#counting = counting;
    return counting.then((both) => (add(tally, both) ? this.#put(tally, wrote) : undefined));
  }

  async #put(tally: Tally, wrote: Wrote): Promise<void> {
    const { store, log } = this.#parts;
    const before = this.#last;
    const withdrawn = this.#withdrawn(wrote);
    this.#last = wrote;
    try {
      await store.figures.add(wrote.at, tally, before?.at ?? null, withdrawn);
    } catch (error) {
      // An outage has its own line in the log.
      if (error instanceof StoreUnwritableError) return;
      const why = codeOf(error) || "the database can't be written";
      this.#throttle.log(() => log.warn({ err: error }, "the figures of a minute are lost"), why);
    }
  }

  /** Looks how much waits, and what was counted so far. Null: that can't be read. Never rejects. */
  async #look(...tallies: Tally[]): Promise<Counted | null> {
    try {
      const { store } = this.#parts;
      const [counters, failures] = await Promise.all([store.counters(), store.failures()]);
      this.#waiting = counters.pending;
      for (const tally of [this.#tally, ...tallies]) {
        tally.waiting = Math.max(tally.waiting, counters.pending);
        tally.repliesWaiting = Math.max(tally.repliesWaiting, counters.commands_pending);
      }
      return {
        messagesIn: counters.accepted,
        repliesOut: counters.commands_sent,
        deadLetters: failures.dead?.count ?? 0,
        failedReplies: failures.command_failed?.count ?? 0,
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
  #withdrawn({ now, uptimeMs }: Wrote): number | null {
    if (this.#last === null) return null;
    const leapMs = now - this.#last.now - (uptimeMs - this.#last.uptimeMs);
    const isBack = this.#hasLeapt && leapMs < -MINUTE_MS;
    if (Math.abs(leapMs) > MINUTE_MS) this.#hasLeapt = leapMs > 0;
    return isBack ? this.#last.at : null;
  }
}

const COUNTED_FAILURES = [
  ["dead-letter", "deadLetters"],
  ["reply-failed", "failedReplies"],
] as const satisfies [string, keyof Counted][];

/** Adds what the database has counted since the tally began. False: it can't be read. */
function add(tally: Tally, [before, now]: readonly [Counted | null, Counted | null]): boolean {
  if (before === null || now === null) return false;
  const added = (name: keyof Counted) => Math.max(0, now[name] - before[name]);
  tally.messagesIn = added("messagesIn");
  tally.repliesOut = added("repliesOut");
  for (const [kind, name] of COUNTED_FAILURES) if (added(name) > 0) tally.failures[kind] = added(name);
  return true;
}
