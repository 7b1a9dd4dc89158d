import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import {
  addBeside,
  beginOf,
  type Counts,
  emptyTally,
  type FigureStore,
  type Hop,
  NotOwnedError,
  type Store,
  StoreUnwritableError,
  type Tally,
} from "../store/index.ts";
import { addDuration } from "./durations.ts";
import type { Running } from "./series.ts";

const MINUTE_S = 60;
const MINUTE_MS = MINUTE_S * 1_000;

/** How often it is looked how much waits, ms. */
const LOOK_EVERY_MS = 5_000;

interface RecorderParts {
  store: Pick<Store, "countsByAccount" | "countsWhenOwned" | "figuresOf">;
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

/** What is counted of an account; where the store does not tell them apart, of all. */
interface Counting {
  tally: Tally;
  /** What was counted when the account became ours, in the minute that runs. */
  begun: Counted | null;
  /** The most that is known to wait, as far as was seen. */
  waiting: number;
  /** In the minute of it that was written last, s since 1970. */
  last: number | null;
}

/** By where it is written. Null: it can't be read. */
type AllCounted = ReadonlyMap<FigureStore, Counted> | null;

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
  readonly #counting = new Map<FigureStore, Counting>();
  /** What was counted when the minute began. It may be under way still. */
  #counted: Promise<AllCounted> = Promise.resolve(null);
  /** Of the minute, monotonic ms. */
  #beganAt: number;
  #endsAt: number;
  /** The minute that was written last. */
  #last: Wrote | null = null;
  /** The wall clock has gone ahead without that time having passed: it was set right, or wrong, or the machine was paused. */
  #hasLeapt = false;
  #callOff = () => {};
  #handingIn: Promise<unknown> = Promise.resolve();

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

  /** The account has become ours: what has passed of it since then is counted. */
  async takeUp(account: string): Promise<void> {
    this.#of(account);
  }

  /** The account is to be another one's: writes what passed of it in the minute that runs. Never rejects. */
  async leave(account: string): Promise<void> {
    const place = this.#parts.store.figuresOf(account);
    const counting = this.#counting.get(place);
    if (!counting) return;
    const [before, now] = await Promise.all([this.#counted, this.#look()]);
    this.#counting.delete(place);
    const tally = whole(counting, before?.get(place), now?.get(place));
    if (tally !== null) await this.#put(place, tally, counting, this.#wrote(), null);
  }

  /** The account is another one's: what passed of it since the last minute can't be written any more. */
  letGo(account: string): void {
    this.#counting.delete(this.#parts.store.figuresOf(account));
  }

  /** A message came, and waits for Hot Bags (1), or has been answered (-1). */
  waits(by: 1 | -1, account: string): void {
    const counting = this.#of(account);
    counting.waiting = Math.max(0, counting.waiting + by);
    counting.tally.waiting = Math.max(counting.tally.waiting, counting.waiting);
  }

  took(hop: Hop, ms: number, account: string): void {
    addDuration(this.#of(account).tally.hops[hop], ms);
  }

  /** `kind`: one of a closed list. */
  failed(kind: string, account: string, count = 1): void {
    const { failures } = this.#of(account).tally;
    failures[kind] = (failures[kind] ?? 0) + count;
  }

  /**
   * The minute that runs, as far as it is, of all that is ours; null: it can't be counted. `goesOn`: with what is written of
   * it already.
   */
  async running(): Promise<Running | null> {
    const tallies = [...this.#counting].map(
      ([place, counting]) => [place, { ...counting, tally: structuredClone(counting.tally) }] as const,
    );
    const counted = [this.#counted, this.#look(...tallies)] as const;
    // The next minute may begin while that is looked up.
    const at = beginOf(this.#middle(), MINUTE_S);
    const goesOn = this.#last === null || beginOf(this.#last.at, MINUTE_S) === at;
    const [before, now] = await Promise.all(counted);
    if (before === null || now === null) return null;
    const all = emptyTally();
    for (const [place, counting] of tallies) {
      const tally = whole(counting, before.get(place), now.get(place));
      if (tally !== null) addBeside(all, tally);
    }
    return { at, tally: all, goesOn };
  }

  #of(account: string): Counting {
    const { store } = this.#parts;
    const place = store.figuresOf(account);
    let counting = this.#counting.get(place);
    if (!counting) {
      const owned = store.countsWhenOwned(account);
      counting = { tally: emptyTally(), begun: owned && countedOf(owned), waiting: 0, last: null };
      this.#counting.set(place, counting);
    }
    return counting;
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
    const wrote = this.#wrote();
    const ended = [...this.#counting].map(([place, counting]) => [place, { ...counting }] as const);
    for (const counting of this.#counting.values()) Object.assign(counting, { tally: emptyTally(), begun: null });
    const before = this.#counted;
    this.#beganAt = clock.uptimeMs();
    this.#endsAt = this.#minuteEnd();
    // What waits now is of both.
    this.#counted = this.#look(...ended);
    const counted = [before, this.#counted] as const;
    // What was counted of one minute is handed in before that of the next.
    const counting = this.#handingIn.then(() => Promise.all(counted));
    this.#handingIn = counting;
    return counting.then((both) => this.#putAll(ended, both, wrote));
  }

  async #putAll(
    ended: readonly (readonly [FigureStore, Counting])[],
    [before, now]: readonly [AllCounted, AllCounted],
    wrote: Wrote,
  ): Promise<void> {
    const written = ended.flatMap(([place, counting]) => {
      const tally = whole(counting, before?.get(place), now?.get(place));
      return tally === null ? [] : [{ place, tally }];
    });
    if (written.length === 0) return;
    const withdrawn = this.#withdrawn(wrote);
    this.#last = wrote;
    const each = written.map(({ place, tally }) =>
      this.#put(place, tally, this.#counting.get(place), wrote, withdrawn),
    );
    await Promise.all(each);
  }

  async #put(
    place: FigureStore,
    tally: Tally,
    counting: Counting | undefined,
    wrote: Wrote,
    withdrawn: number | null,
  ): Promise<void> {
    const { log } = this.#parts;
    const last = counting?.last ?? null;
    if (counting) counting.last = wrote.at;
    try {
      await place.add(wrote.at, tally, last, withdrawn);
    } catch (error) {
      // An outage has its own line in the log, and so has an account that is another sidecar's.
      if (error instanceof StoreUnwritableError || error instanceof NotOwnedError) return;
      const why = codeOf(error) || "the database can't be written";
      this.#throttle.log(() => log.warn({ err: error }, "the figures of a minute are lost"), why);
    }
  }

  /**
   * Looks how much waits, and what was counted so far, also for the minute that has just ended. Null: that can't be read.
   * Never rejects.
   */
  async #look(...ended: readonly (readonly [FigureStore, Counting])[]): Promise<AllCounted> {
    try {
      const { store } = this.#parts;
      const before = new Map(ended);
      const counted = new Map<FigureStore, Counted>();
      for (const counts of await store.countsByAccount()) {
        const { account, counters } = counts;
        const place = store.figuresOf(account);
        const counting = this.#of(account);
        counting.waiting = counters.pending;
        for (const { tally } of [counting, before.get(place) ?? counting]) {
          tally.waiting = Math.max(tally.waiting, counters.pending);
          tally.repliesWaiting = Math.max(tally.repliesWaiting, counters.commands_pending);
        }
        counted.set(place, countedOf(counts));
      }
      return counted;
    } catch {
      // A damaged page: whoever needs it for a message says so.
      return null;
    }
  }

  #wrote(): Wrote {
    const { clock } = this.#parts;
    return { at: this.#middle(), now: clock.now(), uptimeMs: clock.uptimeMs() };
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

function countedOf({ counters, failures }: Counts): Counted {
  return {
    ...{ messagesIn: counters.accepted, repliesOut: counters.commands_sent },
    ...{ deadLetters: failures.dead?.count ?? 0, failedReplies: failures.command_failed?.count ?? 0 },
  };
}

/** The tally with what the database has counted since it began. Null: that can't be read, or it is not ours any more. */
function whole({ tally, begun }: Counting, before: Counted | undefined, now: Counted | undefined): Tally | null {
  const from = begun ?? before;
  if (from === undefined || now === undefined) return null;
  const added = (name: keyof Counted) => Math.max(0, now[name] - from[name]);
  tally.messagesIn = added("messagesIn");
  tally.repliesOut = added("repliesOut");
  for (const [kind, name] of COUNTED_FAILURES) if (added(name) > 0) tally.failures[kind] = added(name);
  return tally;
}
