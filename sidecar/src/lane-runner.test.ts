import { describe, expect, it } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { until } from "../../test/until.ts";
import { type Admission, LaneRunner, type LaneRunnerParts } from "./lane-runner.ts";
import type { Verdict } from "./lanes.ts";

type Cause = "pacing" | "outage";

/** A runner whose runs end when the test says so. The model in test/model tries it out at random. */
function stand(parts: Partial<LaneRunnerParts<Cause>> = {}) {
  const clock = new SimulatedClock();
  const begun: { lane: number; admission: string; end: (verdict: Verdict<Cause>) => void; fail: () => void }[] = [];
  const errors: unknown[] = [];
  const runner = new LaneRunner<Cause>({
    clock,
    timers: clock,
    concurrency: 2,
    run: (lane, admission) => {
      const { promise, resolve, reject } = Promise.withResolvers<Verdict<Cause>>();
      begun.push({ lane, admission, end: resolve, fail: () => reject(new Error("run failed")) });
      return promise;
    },
    failed: (_lane, error) => {
      errors.push(error);
      return { cause: "outage", until: clock.uptimeMs() + 1_000 };
    },
    ...parts,
  });
  const end = async (at: number, verdict: Verdict<Cause>) => {
    const run = begun[at];
    if (!run) throw new Error(`there is no run ${at}`);
    run.end(verdict);
    await Promise.resolve();
    await new Promise(setImmediate);
  };
  return { clock, runner, begun, errors, end, lanes: () => begun.map(({ lane }) => lane) };
}

it("runs as many lanes at once as it may, and the next when one ends", async () => {
  const { runner, end, lanes } = stand();
  for (const lane of [1, 2, 3]) runner.offer(lane);
  expect(lanes()).toEqual([1, 2]);
  expect(runner.underWay).toBe(2);
  await end(0, "empty");
  expect(lanes()).toEqual([1, 2, 3]);
});

it("wakes for the lane that is due first, and again for what is scheduled before it", async () => {
  const { clock, runner, lanes } = stand();
  const now = clock.uptimeMs();
  runner.schedule(1, "pacing", now + 500);
  runner.schedule(2, "pacing", now + 100);
  clock.advance(99);
  expect(lanes()).toEqual([]);
  clock.advance(1);
  expect(lanes()).toEqual([2]);
  clock.advance(400);
  expect(lanes()).toEqual([2, 1]);
});

it("gives a lane whose run throws the rest that its owner says, and goes on", async () => {
  const { clock, runner, begun, errors, lanes } = stand();
  runner.offer(1);
  begun[0]?.fail();
  await until("it has failed", () => errors.length === 1 && runner.underWay === 0);
  runner.offer(1);
  expect(lanes()).toEqual([1]);
  clock.advance(1_000);
  expect(lanes()).toEqual([1, 1]);
});

it("asks its gate only when there is a lane, waits as long as it says, and takes what is not due if it says so", async () => {
  let answer: Admission = { notBefore: 0 };
  let asked = 0;
  const gate = () => {
    asked += 1;
    return answer;
  };
  const { clock, runner, begun, end, lanes } = stand({ gate });
  runner.look();
  expect(asked).toBe(0);
  answer = { notBefore: clock.uptimeMs() + 50 };
  runner.offer(1);
  runner.schedule(2, "outage", clock.uptimeMs() + 3_600_000);
  answer = "due";
  clock.advance(49);
  expect(lanes()).toEqual([]);
  clock.advance(1);
  expect(lanes()).toEqual([1]);
  answer = { notBefore: Number.POSITIVE_INFINITY };
  await end(0, "more");
  clock.advance(60_000);
  expect(lanes()).toEqual([1]);
  answer = "next";
  runner.look();
  expect(begun.map(({ lane, admission }) => `${lane} ${admission}`)).toEqual(["1 due", "1 next", "2 next"]);
});

it("lets the process do other things, however many lanes have nothing to do", async () => {
  let runs = 0;
  const run = async (): Promise<Verdict<Cause>> => {
    runs += 1;
    return "empty";
  };
  const { runner } = stand({ run });
  for (let lane = 0; lane < 10_000; lane++) runner.offer(lane);
  await new Promise(setImmediate);
  expect(runs).toBeLessThan(1_000);
  await until("all have run", () => runs === 10_000);
});

it("begins nothing once it is stopped, and waits for what is under way", async () => {
  const { clock, runner, end, lanes } = stand();
  for (const lane of [1, 2, 3]) runner.offer(lane);
  let isStopped = false;
  const stopped = runner.stop().then(() => {
    isStopped = true;
  });
  await end(0, "more");
  expect(isStopped).toBe(false);
  await end(1, { cause: "pacing", until: 0 });
  await stopped;
  runner.offer(4);
  runner.release("pacing");
  clock.advance(86_400_000);
  expect(lanes()).toEqual([1, 2]);
});

it("waits for weeks, which is longer than a timer of Node can, without a run too many", async () => {
  const { runner, lanes } = stand({ timers: undefined });
  runner.schedule(1, "pacing", 1e15);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(lanes()).toEqual([]);
  await runner.stop();
});

describe("a lane that is reserved", () => {
  it("is out until it is said what to do in it, and given back as that says", async () => {
    const { runner, begun, lanes } = stand();
    const run = runner.reserve(1);
    runner.offer(1);
    expect([runner.underWay, lanes()]).toEqual([1, []]);
    run?.(async () => "empty");
    // It was offered meanwhile.
    await until("it runs", () => begun.length === 1);
    expect(lanes()).toEqual([1]);
  });

  it("rests where what is done in it fails, as after any run", async () => {
    const { clock, runner, errors, lanes } = stand();
    runner.reserve(1)?.(() => Promise.reject(new Error("run failed")));
    await until("it has failed", () => errors.length === 1 && runner.underWay === 0);
    runner.offer(1);
    expect(lanes()).toEqual([]);
    clock.advance(1_000);
    expect(lanes()).toEqual([1]);
  });

  it("is waited for at the end", async () => {
    const { runner } = stand();
    const run = runner.reserve(1);
    let hasStopped = false;
    const stopped = runner.stop().then(() => {
      hasStopped = true;
    });
    await new Promise(setImmediate);
    expect(hasStopped).toBe(false);
    run?.(async () => "empty");
    await stopped;
    expect(runner.reserve(2)).toBe(null);
  });

  it("is none that is known, be it at rest or out, and none beyond those that may be out", () => {
    const { clock, runner } = stand();
    runner.schedule(1, "pacing", clock.uptimeMs() + 100);
    runner.offer(2);
    expect([runner.reserve(1), runner.reserve(2)]).toEqual([null, null]);
    expect(runner.reserve(3)).not.toBe(null);
    expect(runner.reserve(4)).toBe(null);
  });

  it("does not go before one that is due, nor where the gate lets nothing pass", () => {
    let admission: Admission = { notBefore: Number.POSITIVE_INFINITY };
    const { runner, lanes } = stand({ gate: () => admission });
    expect(runner.reserve(1)).toBe(null);
    runner.offer(2);
    admission = "due";
    expect(runner.reserve(1)).toBe(null);
    runner.look();
    expect(lanes()).toEqual([2]);
    expect(runner.reserve(1)).not.toBe(null);
  });
});
