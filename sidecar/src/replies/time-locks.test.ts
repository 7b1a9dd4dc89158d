import { expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { openLog } from "../log.ts";
import { type LockedAccount, TimeLocks } from "./time-locks.ts";

const ANNA = "+15550001001";
const GROUP = "120363000000000001@g.us";
const MINUTE_MS = 60_000;

function setUp() {
  const clock = new SimulatedClock();
  const told: LockedAccount[] = [];
  const log = openLog("info", { write: () => {} });
  const locks = new TimeLocks({ clock, log, onLock: (lock) => void told.push(lock) });
  const refused = (forMs: number | null, account = "default") =>
    locks.refused(account, { until: forMs === null ? null : clock.now() + forMs, kind: null });
  return { clock, told, locks, refused };
}

it("holds direct chats of that account, and neither groups nor other accounts", () => {
  const { locks, refused } = setUp();
  expect(locks.hold(1, "default", ANNA)).toBe(0);
  refused(10 * MINUTE_MS);
  expect(locks.hold(1, "default", ANNA)).toBe(10 * MINUTE_MS);
  expect(locks.hold(2, "default", GROUP)).toBe(0);
  expect(locks.hold(3, "outlet", ANNA)).toBe(0);
  expect(locks.problems).toEqual([expect.stringContaining("Replies of 1 chat wait")]);
});

it("lets one go to find out at the end, and half an hour after the last refusal at the latest", () => {
  const { clock, locks, refused } = setUp();
  refused(24 * 60 * MINUTE_MS);
  expect(locks.hold(1, "default", ANNA)).toBe(30 * MINUTE_MS);
  expect(locks.hold(2, "default", ANNA)).toBe(30 * MINUTE_MS);
  clock.advance(30 * MINUTE_MS);
  expect(locks.hold(1, "default", ANNA)).toBe(0);
  expect(locks.hold(2, "default", ANNA)).toBe(30_000);
  refused(10 * MINUTE_MS);
  expect(locks.hold(2, "default", ANNA)).toBe(10 * MINUTE_MS);
});

it("does not ask at once, over and over, where the end that is told is past", () => {
  const { locks, refused } = setUp();
  refused(-MINUTE_MS);
  expect(locks.hold(1, "default", ANNA)).toBe(30_000);
});

it("is over when a reply went out that was begun after it, and not by a group's or an earlier one", () => {
  const { clock, locks, refused } = setUp();
  const before = clock.uptimeMs();
  clock.advance(1);
  refused(10 * MINUTE_MS);
  locks.hold(1, "default", ANNA);
  expect(locks.sent("default", ANNA, before)).toBe(false);
  expect(locks.sent("default", GROUP, clock.uptimeMs())).toBe(false);
  expect(locks.sent("outlet", ANNA, clock.uptimeMs())).toBe(false);
  expect(locks.sent("default", ANNA, clock.uptimeMs())).toBe(true);
  expect(locks.problems).toEqual([]);
  expect(locks.hold(1, "default", ANNA)).toBe(0);
});

it("is told once, and again when it goes on beyond its end", () => {
  const { clock, told, locks, refused } = setUp();
  refused(10 * MINUTE_MS);
  refused(11 * MINUTE_MS);
  expect(told).toHaveLength(1);
  clock.advance(11 * MINUTE_MS);
  locks.hold(1, "default", ANNA);
  refused(60 * MINUTE_MS);
  expect(told).toHaveLength(2);
});

it("is a problem until its end, or while something waits for it", () => {
  const { clock, locks, refused } = setUp();
  refused(10 * MINUTE_MS);
  expect(locks.problems).toEqual([expect.not.stringContaining("Replies of")]);
  locks.hold(1, "default", ANNA);
  clock.advance(10 * MINUTE_MS);
  expect(locks.problems).toHaveLength(1);
  locks.over(1);
  expect(locks.problems).toEqual([]);
});
