import { describe, expect, it } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

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
