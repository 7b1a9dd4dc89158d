import { describe, expect, it } from "vitest";
import { Breaker } from "./breaker.ts";

const breaker = () => new Breaker(3, { baseMs: 1_000, maxMs: 8_000 }, () => 0.5);

describe("breaker", () => {
  it("opens after as many failures in a row as it is told, and not before", () => {
    const it = breaker();
    expect([it.failed(0, { probe: false }), it.failed(0, { probe: false })]).toEqual([false, false]);
    expect(it.ask(0)).toBe("go");
    expect(it.failed(0, { probe: false })).toBe(true);
    expect(it.ask(0)).toBe("wait");
  });

  it("starts to count anew after a success", () => {
    const it = breaker();
    it.failed(0, { probe: false });
    it.failed(0, { probe: false });
    expect(it.succeeded()).toBe(false);
    expect(it.failed(0, { probe: false })).toBe(false);
    expect(it.open).toBe(false);
  });

  it("lets one probe through at a time, after waits that double", () => {
    const it = breaker();
    it.failed(0, { probe: false, atOnce: true });
    expect(it.probeAt).toBe(500);
    expect(it.ask(499)).toBe("wait");
    expect(it.ask(500)).toBe("probe");
    expect(it.ask(500)).toBe("wait");
    it.failed(500, { probe: true });
    expect(it.probeAt).toBe(1_500);
    expect(it.ask(1_500)).toBe("probe");
    it.failed(1_500, { probe: true });
    expect(it.probeAt).toBe(3_500);
  });

  it("closes with the first success, and says so once", () => {
    const it = breaker();
    it.failed(0, { probe: false, atOnce: true });
    it.ask(10_000);
    expect([it.succeeded(), it.succeeded()]).toEqual([true, false]);
    expect(it.ask(10_000)).toBe("go");
  });

  it("opens at once, and for as long, when the backend asks for a pause", () => {
    const it = breaker();
    expect(it.failed(100, { probe: false, waitMs: 60_000 })).toBe(true);
    expect(it.probeAt).toBe(60_100);
  });

  it("is not moved by what was under way when it opened", () => {
    const it = breaker();
    it.failed(0, { probe: false, atOnce: true });
    expect(it.failed(400, { probe: false })).toBe(false);
    expect(it.probeAt).toBe(500);
  });
});
