import { expect, it } from "vitest";
import { Pace } from "./pace.ts";

it("is off by default: nobody waits", () => {
  const pace = new Pace({ chatIntervalMs: 0, perMinute: 0 });
  expect([pace.spend(100), pace.nextAt(100)]).toEqual([0, 100]);
});

it("spaces replies over all chats evenly, and saves nothing up", () => {
  const pace = new Pace({ chatIntervalMs: 0, perMinute: 30 });
  pace.spend(0);
  expect(pace.nextAt(0)).toBe(2_000);
  pace.spend(2_000);
  expect(pace.nextAt(2_000)).toBe(4_000);
  pace.spend(60_000);
  expect(pace.nextAt(60_000)).toBe(62_000);
});

it("rests each chat for its own time", () => {
  expect(new Pace({ chatIntervalMs: 1_500, perMinute: 0 }).spend(0)).toBe(1_500);
});
