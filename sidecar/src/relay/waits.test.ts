import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";
import { retryAfterMs } from "./retry-after.ts";

describe("backoff", () => {
  const backoff = { baseMs: 1_000, maxMs: 900_000 };

  it("doubles its bound from one second to fifteen minutes", () => {
    const bounds = [1, 2, 3, 10, 11, 100, 5_000].map((failures) => backoffMs(backoff, failures, () => 1));
    expect(bounds).toEqual([1_000, 2_000, 4_000, 512_000, 900_000, 900_000, 900_000]);
  });

  it("takes any wait below the bound", () => {
    expect(backoffMs(backoff, 3, () => 0)).toBe(0);
    expect(backoffMs(backoff, 3, () => 0.25)).toBe(1_000);
  });
});

describe("Retry-After", () => {
  const now = Date.parse("2026-03-01T12:00:00Z");
  it.each([
    ["120", 120_000],
    ["0", 0],
    ["999999999", 900_000],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["Sun, 01 Mar 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("reads %o as %o", (header, wait) => {
    expect(retryAfterMs(header, now, 900_000)).toBe(wait);
  });
});
