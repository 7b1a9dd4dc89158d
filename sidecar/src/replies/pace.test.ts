import { expect, it } from "vitest";
import { Pace } from "./pace.ts";

it("is off by default: nobody waits", () => {
  const pace = new Pace({ chatIntervalMs: 0, perMinute: 0 });
  expect([pace.take(100).restMs, pace.nextAt(100)]).toEqual([0, 100]);
});

it("spaces replies over all chats evenly, and saves nothing up", () => {
  const pace = new Pace({ chatIntervalMs: 0, perMinute: 30 });
  pace.take(0);
  expect(pace.nextAt(0)).toBe(2_000);
  pace.take(2_000);
  expect(pace.nextAt(2_000)).toBe(4_000);
  pace.take(60_000);
  expect(pace.nextAt(60_000)).toBe(62_000);
});

it("rests each chat for its own time", () => {
  expect(new Pace({ chatIntervalMs: 1_500, perMinute: 0 }).take(0).restMs).toBe(1_500);
});

it("lets the next reply have a turn that was given back, and nobody before", () => {
  const pace = new Pace({ chatIntervalMs: 0, perMinute: 30 });
  pace.take(0);
  const turn = pace.take(2_000);
  expect(pace.nextAt(2_001)).toBe(4_000);
  pace.adopt({ chatIntervalMs: 0, perMinute: 60 });
  turn.giveBack();
  expect(pace.nextAt(2_001)).toBe(2_001);
  pace.take(2_001);
  expect(pace.nextAt(2_001)).toBe(3_001);
});
