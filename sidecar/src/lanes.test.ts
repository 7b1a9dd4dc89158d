import { describe, expect, it } from "vitest";
import { Lanes } from "./lanes.ts";

describe("lanes", () => {
  it("gives lanes in the order in which they are due", () => {
    const lanes = new Lanes();
    lanes.offer(1, 30);
    lanes.offer(2, 10);
    lanes.offer(3, 20);
    expect([lanes.take(30), lanes.take(30), lanes.take(30), lanes.take(30)]).toEqual([2, 3, 1, undefined]);
  });

  it("gives nothing before it is due", () => {
    const lanes = new Lanes();
    lanes.offer(1, 10);
    expect(lanes.take(9)).toBeUndefined();
    expect(lanes.nextDueAt()).toBe(10);
    expect(lanes.take(10)).toBe(1);
    expect(lanes.nextDueAt()).toBeUndefined();
  });

  it("gives a lane once until it is given back, whatever is offered meanwhile", () => {
    const lanes = new Lanes();
    lanes.offer(1, 0);
    expect(lanes.take(0)).toBe(1);
    lanes.offer(1, 0);
    expect(lanes.take(0)).toBeUndefined();
    lanes.again(1, 5);
    expect(lanes.take(5)).toBe(1);
    lanes.empty(1);
    expect(lanes.size).toBe(0);
  });

  it("moves a waiting lane forward, never back", () => {
    const lanes = new Lanes();
    lanes.offer(1, 10);
    lanes.offer(1, 5);
    lanes.offer(1, 20);
    expect(lanes.nextDueAt()).toBe(5);
    expect(lanes.take(5)).toBe(1);
    lanes.empty(1);
    expect(lanes.take(100)).toBeUndefined();
  });

  it("releases all that wait, oldest wish first, and leaves alone what is out", () => {
    const lanes = new Lanes();
    lanes.offer(1, 0);
    lanes.take(0);
    lanes.offer(2, 9000);
    lanes.offer(3, 7000);
    lanes.release(10);
    expect([lanes.take(10), lanes.take(10), lanes.take(10)]).toEqual([3, 2, undefined]);
  });

  it("agrees with a sorted list over a long random history", () => {
    const lanes = new Lanes();
    const model = new Map<number, number>();
    let seed = 42;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed % below;
    };
    for (let turn = 0; turn < 5_000; turn++) {
      const lane = random(50);
      const dueAt = random(1_000);
      if (random(3) > 0) {
        lanes.offer(lane, dueAt);
        model.set(lane, Math.min(model.get(lane) ?? Number.POSITIVE_INFINITY, dueAt));
      } else {
        const first = Math.min(...model.values());
        const taken = lanes.take(1_000);
        if (model.size === 0) expect(taken).toBeUndefined();
        else {
          expect(model.get(taken as number)).toBe(first);
          model.delete(taken as number);
          lanes.empty(taken as number);
        }
      }
    }
  });
});
