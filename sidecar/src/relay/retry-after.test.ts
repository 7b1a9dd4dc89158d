import { describe, expect, it } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const now = Date.parse("2026-03-01T12:00:00Z");

describe("Retry-After", () => {
  it.each([
    ["120", 120_000],
    [" 120 ", 120_000],
    ["0", 0],
    ["999999999", 900_000],
    ["Sun, 01 Mar 2026 12:00:30 GMT", 30_000],
    ["Sunday, 01-Mar-26 12:00:30 GMT", 30_000],
    ["Sun Mar  1 12:00:30 2026", 30_000],
    ["Sun, 01 Mar 2026 11:00:00 GMT", 0],
  ])("reads %o as %o", (header, wait) => {
    expect(retryAfterMs(header, now, 900_000)).toBe(wait);
  });

  it.each([
    ...["soon", "", undefined, "-1", "+5", "1.5", "1e3", "0x10", "5s", "5, 6", "99999999999999999999"],
    ...["2026-03-01T12:00:30Z", "Mar 1 2026", "1/3/2026", "Sun, 01 Mar 2026 12:00:30 +0100"],
    ...["Sun, 99 Mar 2026 12:00:30 GMT", "Sun, 01 Mar 2026 12:00:30"],
  ])("takes %o for no wait at all", (header) => {
    expect(retryAfterMs(header, now, 900_000)).toBeUndefined();
  });
});
