import { expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { DamageRecord } from "./damage.ts";

it("speaks of damage as long as it is met, and two minutes more", () => {
  const clock = new SimulatedClock();
  const damage = new DamageRecord(clock);
  let told = 0;
  damage.onMet(() => {
    told += 1;
  });
  expect(damage.met).toBeNull();
  const since = clock.now();
  for (let n = 1; n <= 3; n += 1) {
    damage.note(`the ${n}.`);
    expect(damage.met).toEqual({ failure: `the ${n}.`, since });
    clock.advance(120_000);
    expect(damage.met).not.toBeNull();
  }
  expect(told).toBe(3);
  clock.advance(1);
  expect(damage.met).toBeNull();
  damage.note("another");
  expect(damage.met).toEqual({ failure: "another", since: clock.now() });
});
