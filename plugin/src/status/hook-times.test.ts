import { expect, test } from "vitest";
import { HookClock } from "./hook-times.ts";

test("percentiles are of the latest 1,000 captures", () => {
  const clock = new HookClock();
  expect(clock.read()).toBeNull();
  clock.add(4);
  expect(clock.read()).toEqual({ captures: 1, p50_ms: 4, p95_ms: 4, max_ms: 4 });
  for (let ms = 1_000; ms >= 1; ms -= 1) clock.add(ms);
  expect(clock.read()).toEqual({ captures: 1_000, p50_ms: 500, p95_ms: 950, max_ms: 1_000 });
  for (let n = 0; n < 1_000; n += 1) clock.add(0.12345);
  expect(clock.read()).toEqual({ captures: 1_000, p50_ms: 0.123, p95_ms: 0.123, max_ms: 0.123 });
});
