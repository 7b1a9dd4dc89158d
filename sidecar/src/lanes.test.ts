import { describe, expect, it } from "vitest";
import { Lanes } from "./lanes.ts";

type Cause = "pacing" | "outage";

/** Lanes that rest until these times for this cause, by their number. */
function resting(cause: Cause, until: Record<number, number>) {
  const lanes = new Lanes<Cause>();
  for (const [lane, at] of Object.entries(until)) lanes.schedule(Number(lane), { cause, until: at });
  return lanes;
}

/** Takes all that are due, without giving any back. */
function takeDue(lanes: Lanes<Cause>, now: number) {
  const taken: (number | undefined)[] = [];
  while ((lanes.nextDueAt() ?? Number.POSITIVE_INFINITY) <= now) taken.push(lanes.take());
  return taken;
}

describe("lanes", () => {
  it("are taken in the order in which they are due, of those due at once in the order in which they came", () => {
    const lanes = resting("pacing", { 1: 30, 2: 10, 3: 20 });
    lanes.offer(4, 20);
    expect(takeDue(lanes, 9)).toEqual([]);
    expect(lanes.nextDueAt()).toBe(10);
    expect(takeDue(lanes, 30)).toEqual([2, 3, 4, 1]);
    expect([lanes.nextDueAt(), lanes.take(), lanes.out]).toEqual([undefined, undefined, 4]);
  });

  it("are out once at a time, and come again when more was offered meanwhile", () => {
    const lanes = new Lanes<Cause>();
    lanes.offer(1, 0);
    expect(takeDue(lanes, 0)).toEqual([1]);
    lanes.offer(1, 0);
    expect(takeDue(lanes, 0)).toEqual([]);
    lanes.giveBack(1, "empty", 5);
    expect(takeDue(lanes, 5)).toEqual([1]);
    lanes.giveBack(1, "empty", 5);
    expect(takeDue(lanes, 5)).toEqual([]);
    expect(lanes.out).toBe(0);
  });

  it("go behind those that have waited longer when they have more to do", () => {
    const lanes = new Lanes<Cause>();
    lanes.offer(1, 0);
    lanes.offer(2, 1);
    lanes.take();
    lanes.giveBack(1, "more", 2);
    expect(takeDue(lanes, 2)).toEqual([2, 1]);
  });
});

describe("a lane that rests", () => {
  it("is not moved by an offer", () => {
    const lanes = resting("pacing", { 1: 100 });
    lanes.offer(1, 5);
    expect(lanes.nextDueAt()).toBe(100);
  });

  it("is not moved by an offer that came while it was out", () => {
    const lanes = new Lanes<Cause>();
    lanes.offer(1, 0);
    lanes.take();
    lanes.offer(1, 0);
    lanes.giveBack(1, { cause: "outage", until: 100 }, 1);
    expect(lanes.nextDueAt()).toBe(100);
  });

  it("is released by its own cause only, with others in the order in which they would have been due", () => {
    const lanes = resting("outage", { 2: 9_000, 3: 7_000 });
    lanes.schedule(4, { cause: "pacing", until: 8_000 });
    lanes.release("outage", 10);
    expect(takeDue(lanes, 10)).toEqual([3, 2]);
    lanes.release("outage", 10);
    expect(takeDue(lanes, 7_999)).toEqual([]);
    lanes.release("pacing", 10);
    expect(takeDue(lanes, 10)).toEqual([4]);
  });

  it("can be released alone", () => {
    const lanes = resting("outage", { 1: 100, 2: 100 });
    lanes.release("outage", 10, 2);
    lanes.release("pacing", 10, 1);
    lanes.release("outage", 10, 3);
    expect(takeDue(lanes, 10)).toEqual([2]);
  });

  it("does not rest for what was released while it was out", () => {
    const lanes = new Lanes<Cause>();
    for (const lane of [1, 2]) lanes.offer(lane, 0);
    takeDue(lanes, 0);
    lanes.release("outage", 1);
    lanes.giveBack(1, { cause: "outage", until: 100 }, 2);
    lanes.giveBack(2, { cause: "pacing", until: 100 }, 2);
    expect(takeDue(lanes, 2)).toEqual([1]);
    lanes.giveBack(1, { cause: "outage", until: 100 }, 2);
    expect(takeDue(lanes, 99)).toEqual([]);
  });

  it("is due earlier when something of the same cause is, and never later", () => {
    const lanes = resting("pacing", { 1: 50 });
    lanes.schedule(1, { cause: "pacing", until: 70 });
    expect(lanes.nextDueAt()).toBe(50);
    lanes.schedule(1, { cause: "outage", until: 10 });
    expect(lanes.nextDueAt()).toBe(50);
    lanes.schedule(1, { cause: "pacing", until: 20 });
    expect(lanes.nextDueAt()).toBe(20);
    expect(takeDue(lanes, 20)).toEqual([1]);
    lanes.schedule(1, { cause: "pacing", until: 40 });
    lanes.giveBack(1, { cause: "pacing", until: 60 }, 21);
    expect(lanes.nextDueAt()).toBe(40);
  });
});
