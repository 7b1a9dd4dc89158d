import { describe, expect, it } from "vitest";
import { backoffMs, steadyBackoffMs } from "./backoff.ts";

const backoff = { baseMs: 1_000, maxMs: 900_000 };

describe("backoff", () => {
  it("doubles its bound from one second to fifteen minutes", () => {
    const bounds = [1, 2, 3, 10, 11, 100, 5_000].map((failures) => backoffMs(backoff, failures));
    expect(bounds).toEqual([1_000, 2_000, 4_000, 512_000, 900_000, 900_000, 900_000]);
  });

  it("with jitter takes any wait below the bound", () => {
    expect(backoffMs(backoff, 3, () => 0)).toBe(0);
    expect(backoffMs(backoff, 3, () => 0.25)).toBe(1_000);
    expect(backoffMs(backoff, 5_000, () => 0)).toBe(0);
  });

  it("that is steady takes the upper half of it only", () => {
    expect([0, 0.5, 0.999].map((chance) => steadyBackoffMs(backoff, 3, () => chance))).toEqual([2_000, 3_000, 3_998]);
    expect(steadyBackoffMs(backoff, 5_000, () => 0)).toBe(450_000);
  });
});
