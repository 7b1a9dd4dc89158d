import { type Clock, systemTimers, type Timers } from "./clock.ts";
import { Lanes, type Rest, type Verdict } from "./lanes.ts";

/**
 * Runs that are begun in one turn of the event loop. Runs that find nothing to do end at once: a thousand of them
 * must not keep the process from all else.
 */
const STARTS_A_TURN = 100;

/**
 * What may run now: whatever is `due`; the `next` lane, due or not; nothing before a time, monotonic ms, when it is
 * asked again (Infinity: when `look` is called).
 */
export type Admission = "due" | "next" | { notBefore: number };

/** Does something in a lane that was reserved, and gives it back as that says. To be called once. */
export type Reserved<Cause extends string> = (run: () => Promise<Verdict<Cause>>) => void;

export interface LaneRunnerParts<Cause extends string> {
  clock: Clock;
  /** The system's, unless a test moves the time. */
  timers?: Timers | undefined;
  /** Lanes that are out at once. Read each time before one is taken. */
  readonly concurrency: number;
  /**
   * Does the next piece of work of a lane. Resolves with what becomes of the lane. `admission` is what the gate said.
   */
  run(lane: number, admission: "due" | "next"): Promise<Verdict<Cause>>;
  /** `run` threw: what becomes of the lane. Must not throw. */
  failed(lane: number, error: unknown): Verdict<Cause>;
  /**
   * Asked each time before a lane is taken, and only when there is one: `next` is always made use of. Without a gate
   * all that is due runs.
   */
  gate?(now: number): Admission;
}

/**
 * Runs lanes: takes what is due, never a lane twice at once, never more than `concurrency`, and gives each back as
 * its run says: with more to do, empty, or at rest for a cause. It knows nothing of what is run; the causes and their
 * times are its owner's.
 */
export class LaneRunner<Cause extends string> {
  readonly #parts: LaneRunnerParts<Cause>;
  readonly #timers: Timers;
  readonly #lanes = new Lanes<Cause>();
  readonly #underWay = new Map<number, Promise<void>>();
  #starts = 0;
  #callOff = () => {};
  #running = true;

  constructor(parts: LaneRunnerParts<Cause>) {
    this.#parts = parts;
    this.#timers = parts.timers ?? systemTimers;
  }

  /** Runs under way. */
  get underWay(): number {
    return this.#lanes.out;
  }

  /** What a lane rests for; null where it does not rest, or is out. */
  restOf(lane: number): Rest<Cause> | null {
    return this.#lanes.restOf(lane);
  }

  /** When the next lane is due, monotonic ms; Infinity when none waits. */
  get nextDueAt(): number {
    return this.#lanes.nextDueAt() ?? Number.POSITIVE_INFINITY;
  }

  /** The lane has work. It is run now, if it is not known yet; one that is known stays where it is. */
  offer(lane: number): void {
    this.#lanes.offer(lane, this.#parts.clock.uptimeMs());
    this.look();
  }

  /**
   * The lane has something to do at `until`, monotonic ms, and rests for `cause` until then at the latest. One that
   * rests for another cause is not moved.
   */
  schedule(lane: number, cause: Cause, until: number): void {
    this.#lanes.schedule(lane, { cause, until });
    this.look();
  }

  /**
   * What these lanes rest for is over; those that rest for another cause go on resting. With `lane`, for that one
   * alone.
   */
  release(cause: Cause, lane?: number): void {
    this.#lanes.release(cause, this.#parts.clock.uptimeMs(), lane);
    this.look();
  }

  /**
   * Takes a lane of which nothing is known, if it would run at once when it is offered; null where it would not. It is
   * out until what is returned is called, with what to do in it. The gate is asked last, and what it lets pass is used.
   */
  reserve(lane: number): Reserved<Cause> | null {
    const now = this.#parts.clock.uptimeMs();
    const isFull = this.#lanes.out >= this.#parts.concurrency || this.#starts >= STARTS_A_TURN;
    const isBehind = (this.#lanes.nextDueAt() ?? Number.POSITIVE_INFINITY) <= now;
    if (!this.#running || isFull || isBehind || this.#lanes.isKnown(lane)) return null;
    const admission = this.#parts.gate?.(now) ?? "due";
    if (typeof admission === "object" && admission.notBefore > now) return null;
    this.#lanes.takeNew(lane);
    const ended = Promise.withResolvers<void>();
    this.#underWay.set(lane, ended.promise);
    return (run) => ended.resolve(this.#end(lane, run));
  }

  /** Runs what may run. To be called when the gate would say something else than before. */
  look(): void {
    if (!this.#running) return;
    this.#callOff();
    for (;;) {
      const dueAt = this.#lanes.nextDueAt();
      if (dueAt === undefined || this.#lanes.out >= this.#parts.concurrency || this.#starts >= STARTS_A_TURN) return;
      const now = this.#parts.clock.uptimeMs();
      const admission = this.#parts.gate?.(now) ?? "due";
      if (typeof admission === "object" && admission.notBefore > now) return this.#lookAt(admission.notBefore, now);
      if (admission !== "next" && dueAt > now) return this.#lookAt(dueAt, now);
      this.#begin(admission === "next" ? "next" : "due");
    }
  }

  /** Resolves when what is under way now has ended; meanwhile other work begins. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  /** Begins nothing more and waits for what is under way. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#callOff();
    await Promise.all(this.#underWay.values());
  }

  #lookAt(at: number, now: number): void {
    if (at !== Number.POSITIVE_INFINITY) this.#callOff = this.#timers.after(at - now, () => this.look());
  }

  #begin(admission: "due" | "next"): void {
    const lane = this.#lanes.take();
    if (lane === undefined) return;
    if (this.#starts++ === 0) setImmediate(() => this.#nextTurn());
    this.#underWay.set(lane, this.#run(lane, admission));
  }

  #run(lane: number, admission: "due" | "next"): Promise<void> {
    return this.#end(lane, () => this.#parts.run(lane, admission));
  }

  async #end(lane: number, run: () => Promise<Verdict<Cause>>): Promise<void> {
    let verdict: Verdict<Cause>;
    try {
      verdict = await run();
    } catch (error) {
      verdict = this.#parts.failed(lane, error);
    }
    this.#underWay.delete(lane);
    this.#lanes.giveBack(lane, verdict, this.#parts.clock.uptimeMs());
    this.look();
  }

  #nextTurn(): void {
    const isLimited = this.#starts >= STARTS_A_TURN;
    this.#starts = 0;
    if (isLimited) this.look();
  }
}
