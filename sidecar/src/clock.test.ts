import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { pause } from "./clock.ts";

it("a pause ends with its time, and leaves nothing at a signal that lasts", async () => {
  const clock = new SimulatedClock();
  const { signal } = new AbortController();
  const paused = pause(1_000, signal, clock);
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  clock.advance(1_000);
  await paused;
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

it("a pause ends when its signal is aborted, at once where that was before", async () => {
  const clock = new SimulatedClock();
  const end = new AbortController();
  const paused = pause(1_000, end.signal, clock);
  end.abort();
  await paused;
  await pause(1_000, end.signal, clock);
  expect(clock.uptimeMs()).toBe(new SimulatedClock().uptimeMs());
});
