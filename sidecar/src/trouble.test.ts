import { expect, it } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { Trouble } from "./trouble.ts";

it("says what lasts once, and again when it has passed in between, or is another one", () => {
  const trouble = new Trouble();
  const said: string[] = [];
  const say = (what: string) => trouble.say(what, () => said.push(what));
  for (const what of ["a", "a", "b", "b", "a"]) say(what);
  expect(said).toEqual(["a", "b", "a"]);
  trouble.over();
  say("a");
  expect(said).toEqual(["a", "b", "a", "a"]);
});

it("with a clock says it again from time to time", () => {
  const clock = new SimulatedClock();
  const trouble = new Trouble({ clock, everyMs: 60_000 });
  let said = 0;
  for (let second = 0; second <= 300; second++) {
    trouble.say("", () => said++);
    clock.advance(1_000);
  }
  expect(said).toBe(6);
});
