import { expect, it } from "vitest";
import { LogThrottle } from "./log-throttle.ts";

function clockAt(start: number) {
  let now = start;
  return { uptimeMs: () => now, advance: (ms: number) => (now += ms) };
}

it("logs what lasts once, and again when it has passed in between, or is another one", () => {
  const throttle = new LogThrottle({ everyMs: Number.POSITIVE_INFINITY });
  const logged: string[] = [];
  const log = (what: string) => throttle.log(() => logged.push(what), what);
  for (const what of ["a", "a", "b", "b", "a"]) log(what);
  expect(logged).toEqual(["a", "b", "a"]);
  expect(throttle.over()).toBe(true);
  expect(throttle.over()).toBe(false);
  log("a");
  expect(logged).toEqual(["a", "b", "a", "a"]);
});

it("logs what lasts again from time to time, by default once a minute", () => {
  const clock = clockAt(0);
  const throttle = new LogThrottle({ clock });
  let logged = 0;
  for (let second = 0; second <= 300; second++) {
    throttle.log(() => logged++);
    clock.advance(1_000);
  }
  expect(logged).toBe(6);
});
