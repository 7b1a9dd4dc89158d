import fc from "fast-check";
import { expect, it } from "vitest";
import { type Admission, LaneRunner } from "../../sidecar/src/lane-runner.ts";
import type { Rest, Verdict } from "../../sidecar/src/lanes.ts";
import { SimulatedClock } from "../simulated-clock.ts";

// Random histories of a lane runner, compared with a model in plain lists that knows nothing of heaps and timers:
// which lanes are run, in which order, when.

const CAUSES = ["pacing", "outage", "turn"] as const;
type Cause = (typeof CAUSES)[number];
const CONCURRENCY = 3;
const LANES = 6;

/** A lane as the rules in plain words have it. */
interface ModelLane {
  id: number;
  dueAt: number;
  /** The order in which lanes came to wait as they do now. */
  since: number;
  rest: Cause | null;
}

interface OutLane {
  id: number;
  offered: boolean;
  scheduled: Rest<Cause> | null;
  released: Set<Cause>;
}

interface Model {
  now: number;
  waiting: ModelLane[];
  out: OutLane[];
  gate: Admission;
  /** Lanes that were begun, in order. */
  begun: string[];
  steps: number;
}

class World {
  readonly clock = new SimulatedClock();
  gate: Admission = "due";
  readonly begun: string[] = [];
  readonly ends = new Map<number, (verdict: Verdict<Cause> | Error) => void>();
  readonly runner = new LaneRunner<Cause>({
    clock: this.clock,
    timers: this.clock,
    concurrency: CONCURRENCY,
    gate: () => {
      const answer = this.gate;
      // Once, as a breaker lets one probe through.
      if (answer === "next") this.gate = { notBefore: Number.POSITIVE_INFINITY };
      return answer;
    },
    run: (lane, admission) => this.begin(lane, admission),
    failed: () => ({ cause: "outage", until: this.clock.uptimeMs() + 100 }),
  });

  begin(lane: number, how: string): Promise<Verdict<Cause>> {
    expect(this.ends.has(lane)).toBe(false);
    this.begun.push(`${lane} ${how}`);
    return new Promise((resolve, reject) => {
      this.ends.set(lane, (end) => {
        this.ends.delete(lane);
        if (end instanceof Error) reject(end);
        else resolve(end);
      });
    });
  }
}

const byDue = (a: ModelLane, b: ModelLane) => a.dueAt - b.dueAt || a.since - b.since;

/** Begins in the model all that may begin. */
function run(model: Model): void {
  for (;;) {
    const [next] = model.waiting.toSorted(byDue);
    if (!next || model.out.length >= CONCURRENCY) return;
    const { gate } = model;
    if (typeof gate === "object" && gate.notBefore > model.now) return;
    const admission = gate === "next" ? "next" : "due";
    if (admission === "due" && next.dueAt > model.now) return;
    if (gate === "next") model.gate = { notBefore: Number.POSITIVE_INFINITY };
    model.waiting = model.waiting.filter((lane) => lane !== next);
    model.out.push({ id: next.id, offered: false, scheduled: null, released: new Set() });
    model.begun.push(`${next.id} ${admission}`);
  }
}

function wait(model: Model, id: number, dueAt: number, rest: Cause | null): void {
  model.waiting.push({ id, dueAt, since: model.steps++, rest });
}

function sooner(a: Rest<Cause> | null, b: Rest<Cause>): Rest<Cause> {
  return a && a.until <= b.until ? a : b;
}

function giveBack(model: Model, out: OutLane, verdict: Verdict<Cause>): void {
  model.out = model.out.filter((lane) => lane !== out);
  const { id, offered, scheduled, released } = out;
  if (verdict === "more" || (verdict === "empty" && offered)) return wait(model, id, model.now, null);
  if (verdict === "empty") return scheduled ? wait(model, id, scheduled.until, scheduled.cause) : undefined;
  if (released.has(verdict.cause)) return wait(model, id, model.now, null);
  const rest = scheduled?.cause === verdict.cause ? sooner(scheduled, verdict) : verdict;
  wait(model, id, rest.until, rest.cause);
}

type Step = fc.AsyncCommand<Model, World>;

/** The runner hears of an end a few microtasks later, and begins a new turn with the next macrotask. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const step = (name: string, act: (model: Model, world: World) => void): Step => ({
  check: () => true,
  run: async (model, world) => {
    act(model, world);
    await settled();
    run(model);
    verify(model, world);
  },
  toString: () => name,
});

function verify(model: Model, world: World): void {
  expect(world.begun).toEqual(model.begun);
  expect([...world.ends.keys()].toSorted()).toEqual(model.out.map(({ id }) => id).toSorted());
  expect(world.runner.underWay).toBe(model.out.length);
  const [next] = model.waiting.toSorted(byDue);
  expect(world.runner.nextDueAt).toBe(next?.dueAt ?? Number.POSITIVE_INFINITY);
}

const offer = (id: number) =>
  step(`offer(${id})`, (model, world) => {
    world.runner.offer(id);
    const out = model.out.find((lane) => lane.id === id);
    if (out) out.offered = true;
    else if (!model.waiting.some((lane) => lane.id === id)) wait(model, id, model.now, null);
  });

const reserve = (id: number) =>
  step(`reserve(${id})`, (model, world) => {
    const { gate, now, waiting, out } = model;
    const isKnown = [...waiting, ...out].some((lane) => lane.id === id);
    const isFree = out.length < CONCURRENCY && !waiting.some(({ dueAt }) => dueAt <= now);
    const passes = typeof gate === "string" || gate.notBefore <= now;
    const reserved = world.runner.reserve(id);
    expect(reserved !== null).toBe(!isKnown && isFree && passes);
    if (!reserved) return;
    if (gate === "next") model.gate = { notBefore: Number.POSITIVE_INFINITY };
    out.push({ id, offered: false, scheduled: null, released: new Set() });
    model.begun.push(`${id} reserved`);
    reserved(() => world.begin(id, "reserved"));
  });

const schedule = (id: number, cause: Cause, inMs: number) =>
  step(`schedule(${id}, ${cause}, ${inMs})`, (model, world) => {
    const rest = { cause, until: model.now + inMs };
    world.runner.schedule(id, cause, rest.until);
    const out = model.out.find((lane) => lane.id === id);
    const known = model.waiting.find((lane) => lane.id === id);
    if (out) out.scheduled = sooner(out.scheduled, rest);
    else if (!known) wait(model, id, rest.until, cause);
    else if (known.rest === cause && rest.until < known.dueAt) {
      known.dueAt = rest.until;
      known.since = model.steps++;
    }
  });

const release = (cause: Cause, id?: number) =>
  step(`release(${cause}, ${id ?? "all"})`, (model, world) => {
    world.runner.release(cause, id);
    const concerned = (lane: { id: number }) => id === undefined || lane.id === id;
    for (const out of model.out.filter(concerned)) out.released.add(cause);
    for (const lane of model.waiting.filter((lane) => concerned(lane) && lane.rest === cause).toSorted(byDue)) {
      lane.rest = null;
      if (lane.dueAt <= model.now) continue;
      lane.dueAt = model.now;
      lane.since = model.steps++;
    }
  });

/** The one of the lanes under way that began at this place ends like this. */
const end = (place: number, how: "more" | "empty" | "throws" | { cause: Cause; inMs: number }) =>
  step(`end(${place}, ${JSON.stringify(how)})`, (model, world) => {
    const out = model.out[place % Math.max(1, model.out.length)];
    if (!out) return;
    const restFor = (cause: Cause, inMs: number) => ({ cause, until: model.now + inMs });
    const verdict = typeof how === "object" ? restFor(how.cause, how.inMs) : how;
    world.ends.get(out.id)?.(verdict === "throws" ? new Error("run failed") : verdict);
    giveBack(model, out, verdict === "throws" ? restFor("outage", 100) : verdict);
  });

/** Time passes in small steps, so that each run that falls due begins at its own time. */
const pass = (ms: number): Step => ({
  check: () => true,
  run: async (model, world) => {
    for (let n = 0; n < ms; n++) {
      world.clock.advance(1);
      model.now += 1;
      run(model);
    }
    await settled();
    verify(model, world);
  },
  toString: () => `pass(${ms})`,
});

const setGate = (gate: "due" | "next" | "closed" | number) =>
  step(`gate(${gate})`, (model, world) => {
    const answer: Admission =
      gate === "closed"
        ? { notBefore: Number.POSITIVE_INFINITY }
        : typeof gate === "number"
          ? { notBefore: model.now + gate }
          : gate;
    world.gate = answer;
    model.gate = answer;
    world.runner.look();
  });

it("runs what is due, when it is due, in order, each lane once at a time, over random histories", async () => {
  const lane = fc.nat(LANES - 1);
  const cause = fc.constantFrom(...CAUSES);
  const ms = fc.integer({ min: 0, max: 300 });
  const how = fc.oneof(fc.constantFrom("more", "empty", "throws" as const), fc.record({ cause, inMs: ms }));
  const steps = [
    lane.map(offer),
    lane.map(reserve),
    fc.tuple(lane, cause, ms).map((args) => schedule(...args)),
    fc.tuple(cause, fc.option(lane, { nil: undefined })).map((args) => release(...args)),
    fc.tuple(fc.nat(CONCURRENCY - 1), how).map((args) => end(...(args as [number, "more"]))),
    fc.tuple(fc.nat(CONCURRENCY - 1), how).map((args) => end(...(args as [number, "more"]))),
    fc.integer({ min: 1, max: 150 }).map(pass),
    fc.oneof(fc.constantFrom("due", "next", "closed" as const), ms).map((gate) => setGate(gate as "due")),
    fc.constant(setGate("due")),
  ];
  const property = fc.asyncProperty(fc.commands(steps, { maxCommands: 200, size: "max" }), async (history) => {
    const world = new World();
    const model: Model = { now: world.clock.uptimeMs(), waiting: [], out: [], gate: "due", begun: [], steps: 0 };
    await fc.asyncModelRun(() => ({ model, real: world }), history);
  });
  await fc.assert(property, { numRuns: 500, endOnFailure: true });
}, 120_000);
