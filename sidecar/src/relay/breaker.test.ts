import { describe, expect, it } from "vitest";
import { Breaker } from "./breaker.ts";

const breaker = (random = 0.5) => new Breaker({ baseMs: 1_000, maxMs: 8_000 }, () => random);

describe("breaker", () => {
  it("lets everything through until it is tripped, and after it is closed", () => {
    const it = breaker();
    expect([it.open, it.ask(0), it.probeAt]).toEqual([false, "go", undefined]);
    it.trip(0);
    expect([it.open, it.ask(0)]).toEqual([true, "wait"]);
    it.close();
    expect([it.open, it.ask(0), it.probeAt]).toEqual([false, "go", undefined]);
  });

  it("lets one probe through at a time, after waits that double", () => {
    const it = breaker();
    it.trip(0);
    expect(it.probeAt).toBe(750);
    expect(it.ask(749)).toBe("wait");
    expect(it.ask(750)).toBe("probe");
    expect(it.ask(750)).toBe("wait");
    it.failed(750);
    expect(it.probeAt).toBe(750 + 1_500);
    expect(it.ask(2_250)).toBe("probe");
    it.failed(2_250);
    expect(it.probeAt).toBe(2_250 + 3_000);
  });

  it("never waits less than half of a bound, nor more than the longest wait", () => {
    for (const random of [0, 0.999_999]) {
      const it = breaker(random);
      it.trip(0);
      for (let failures = 0; failures < 50; failures++) it.failed(0);
      expect(it.probeAt).toBeGreaterThanOrEqual(4_000);
      expect(it.probeAt).toBeLessThan(8_000);
    }
  });

  it("begins with short waits again when it is tripped again", () => {
    const it = breaker();
    it.trip(0);
    for (let failures = 0; failures < 5; failures++) it.failed(0);
    it.close();
    it.trip(0);
    expect(it.probeAt).toBe(750);
  });

  it("waits for as long as the backend asks for, and never less than without that", () => {
    const it = breaker();
    it.trip(100, 60_000);
    expect(it.probeAt).toBe(60_100);
    it.failed(100, 60_000);
    expect(it.probeAt).toBe(60_100);
    it.failed(100, 1);
    expect(it.probeAt).toBe(100 + 3_000);
  });

  it("lets another probe go when one is out for longer than the longest wait", () => {
    const it = breaker();
    it.trip(0);
    expect(it.ask(1_000)).toBe("probe");
    expect(it.ask(8_999)).toBe("wait");
    expect(it.ask(9_000)).toBe("probe");
  });

  it("lets another probe go at once when one came to nothing", () => {
    const it = breaker();
    it.trip(0);
    it.ask(1_000);
    it.forgo(1_000);
    expect(it.ask(1_000)).toBe("probe");
  });
});
