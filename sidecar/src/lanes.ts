/** Why a lane waits, and until when at the latest, monotonic ms. */
export interface Rest<Cause extends string> {
  cause: Cause;
  until: number;
}

/** What becomes of a lane that was out: it may have more to do at once, nothing to do, or must rest. */
export type Verdict<Cause extends string> = "more" | "empty" | Rest<Cause>;

interface Lane<Cause extends string> {
  readonly id: number;
  dueAt: number;
  /** Of lanes that are due at the same time the one goes first that began to wait first. */
  turn: number;
  /** Why it is not due before `dueAt`; null when it has work to do now. */
  cause: Cause | null;
  /** Its place in the heap; -1 while it is out. */
  place: number;
}

/** What happened to a lane while it was out. It counts when the lane comes back. */
interface Meanwhile<Cause extends string> {
  offered: boolean;
  scheduled: Rest<Cause> | null;
  released: Set<Cause> | null;
}

/**
 * Which lane may go next. A lane is a chat with work: it is out at most once at a time, so a chat keeps its order,
 * and no chat waits for another. A lane that is not out waits: it is due, or it rests for a cause. States: `unknown →
 * waiting ⇄ out → unknown`, and `unknown → out`. Keeps one small entry a lane, however long the lane: the items themselves stay in the
 * store. Costs O(log lanes) a step. Times are monotonic ms.
 */
export class Lanes<Cause extends string> {
  readonly #lanes = new Map<number, Lane<Cause>>();
  readonly #out = new Map<number, Meanwhile<Cause>>();
  readonly #resting = new Map<Cause, Set<Lane<Cause>>>();
  /** Binary min-heap of the lanes that wait, by `dueAt`, then `turn`. */
  readonly #heap: Lane<Cause>[] = [];
  #turns = 0;

  /** Lanes that are out. */
  get out(): number {
    return this.#out.size;
  }

  /** The lane has work. One that is known is not moved: what it rests for is not over because there is more to do. */
  offer(id: number, now: number): void {
    const meanwhile = this.#out.get(id);
    if (meanwhile) meanwhile.offered = true;
    else if (!this.#lanes.has(id)) this.#wait({ id, dueAt: now, turn: 0, cause: null, place: -1 });
  }

  /**
   * The lane has something to do at `rest.until`: one that rests for this very cause rests no longer than until then.
   * One that is due, or rests for another cause, is not moved.
   */
  schedule(id: number, rest: Rest<Cause>): void {
    const meanwhile = this.#out.get(id);
    const lane = this.#lanes.get(id);
    if (meanwhile) meanwhile.scheduled = earlier(meanwhile.scheduled, rest);
    else if (!lane) this.#wait({ id, dueAt: rest.until, turn: 0, cause: rest.cause, place: -1 });
    else if (lane.cause === rest.cause && rest.until < lane.dueAt) this.#hasten(lane, rest.until);
  }

  /** What a lane rests for; null where it does not rest, or is out. */
  restOf(id: number): Rest<Cause> | null {
    const lane = this.#out.has(id) ? undefined : this.#lanes.get(id);
    return lane && lane.cause !== null ? { cause: lane.cause, until: lane.dueAt } : null;
  }

  /** When the next lane is due; `undefined` when none waits. */
  nextDueAt(): number | undefined {
    return this.#heap[0]?.dueAt;
  }

  /** Takes the lane that `nextDueAt` speaks of, due or not. It is out until `giveBack`. */
  take(): number | undefined {
    const lane = this.#heap[0];
    if (!lane) return undefined;
    const last = this.#heap.pop();
    if (last && last !== lane) {
      this.#put(last, 0);
      this.#sink(last);
    }
    lane.place = -1;
    this.#unrest(lane);
    this.#goOut(lane.id);
    return lane.id;
  }

  /** Whether it waits or is out. */
  isKnown(id: number): boolean {
    return this.#lanes.has(id);
  }

  /** Takes a lane of which nothing is known, as if it had been offered and were the first. */
  takeNew(id: number): void {
    this.#lanes.set(id, { id, dueAt: 0, turn: 0, cause: null, place: -1 });
    this.#goOut(id);
  }

  /** The lane was out and is back. */
  giveBack(id: number, verdict: Verdict<Cause>, now: number): void {
    const lane = this.#lanes.get(id);
    const meanwhile = this.#out.get(id);
    if (!lane || !meanwhile) return;
    this.#out.delete(id);
    const rest = restOf(verdict, meanwhile);
    if (rest === "empty") {
      this.#lanes.delete(id);
      return;
    }
    lane.cause = rest === "now" ? null : rest.cause;
    lane.dueAt = rest === "now" ? now : rest.until;
    this.#wait(lane);
  }

  /**
   * What these lanes rest for is over: they are due now, in the order in which they would have been. With `id`, for
   * that lane alone.
   */
  release(cause: Cause, now: number, id?: number): void {
    for (const meanwhile of this.#outOf(id)) {
      meanwhile.released ??= new Set();
      meanwhile.released.add(cause);
    }
    for (const lane of this.#restingFor(cause, id).sort(order)) {
      this.#unrest(lane);
      if (lane.dueAt > now) this.#hasten(lane, now);
    }
  }

  #goOut(id: number): void {
    this.#out.set(id, { offered: false, scheduled: null, released: null });
  }

  #outOf(id: number | undefined): Iterable<Meanwhile<Cause>> {
    if (id === undefined) return this.#out.values();
    const meanwhile = this.#out.get(id);
    return meanwhile ? [meanwhile] : [];
  }

  #restingFor(cause: Cause, id: number | undefined): Lane<Cause>[] {
    if (id === undefined) return [...(this.#resting.get(cause) ?? [])];
    const lane = this.#lanes.get(id);
    return lane?.cause === cause ? [lane] : [];
  }

  #wait(lane: Lane<Cause>): void {
    this.#lanes.set(lane.id, lane);
    lane.turn = this.#turns++;
    if (lane.cause !== null) {
      const resting = this.#resting.get(lane.cause);
      if (resting) resting.add(lane);
      else this.#resting.set(lane.cause, new Set([lane]));
    }
    this.#put(lane, this.#heap.length);
    this.#rise(lane);
  }

  #unrest(lane: Lane<Cause>): void {
    if (lane.cause === null) return;
    const resting = this.#resting.get(lane.cause);
    resting?.delete(lane);
    if (resting?.size === 0) this.#resting.delete(lane.cause);
    lane.cause = null;
  }

  #hasten(lane: Lane<Cause>, dueAt: number): void {
    lane.dueAt = dueAt;
    lane.turn = this.#turns++;
    this.#rise(lane);
  }

  #put(lane: Lane<Cause>, place: number): void {
    this.#heap[place] = lane;
    lane.place = place;
  }

  #rise(lane: Lane<Cause>): void {
    for (;;) {
      const place = (lane.place - 1) >> 1;
      const parent = this.#heap[place];
      if (lane.place === 0 || !parent || order(parent, lane) <= 0) return;
      this.#put(parent, lane.place);
      this.#put(lane, place);
    }
  }

  #sink(lane: Lane<Cause>): void {
    for (;;) {
      const left = this.#heap[2 * lane.place + 1];
      const right = this.#heap[2 * lane.place + 2];
      const least = left && right && order(right, left) < 0 ? right : left;
      if (!least || order(lane, least) <= 0) return;
      const { place } = least;
      this.#put(least, lane.place);
      this.#put(lane, place);
    }
  }
}

function order(a: { dueAt: number; turn: number }, b: { dueAt: number; turn: number }): number {
  return a.dueAt - b.dueAt || a.turn - b.turn;
}

function earlier<Cause extends string>(a: Rest<Cause> | null, b: Rest<Cause>): Rest<Cause> {
  return a && a.until <= b.until ? a : b;
}

function restOf<Cause extends string>(
  verdict: Verdict<Cause>,
  meanwhile: Meanwhile<Cause>,
): Rest<Cause> | "now" | "empty" {
  const { offered, scheduled, released } = meanwhile;
  if (verdict === "more") return "now";
  if (verdict === "empty") return offered ? "now" : (scheduled ?? "empty");
  if (released?.has(verdict.cause)) return "now";
  return scheduled?.cause === verdict.cause ? earlier(scheduled, verdict) : verdict;
}
