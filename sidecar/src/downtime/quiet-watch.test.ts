import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { messageOf } from "../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { accountState } from "../gateway/account.ts";
import { openLog } from "../log.ts";
import { openStore, type Store } from "../store/index.ts";
import { readOpeningHours } from "./opening-hours.ts";
import { QuietWatch } from "./quiet-watch.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let dir: string;
let clock: SimulatedClock;
let store: Store;
let watch: QuietWatch;
/** What it noticed, in order. */
let alerts: NonNullable<QuietWatch["problem"]>[];
let connected: boolean;

/** How long it is until this hour of the machine's time, whatever its zone, ms: a day at most. */
function msUntil(hour: number, minute = 0) {
  const day = new Date(clock.now());
  day.setHours(hour, minute, 0, 0);
  if (day.getTime() <= clock.now()) day.setDate(day.getDate() + 1);
  return day.getTime() - clock.now();
}

/** Moves the time on until then, and looks each minute on the way. */
const to = (hour: number, minute = 0) => pass(msUntil(hour, minute));

async function pass(ms: number) {
  for (let left = ms; left > 0; left -= MINUTE_MS) {
    clock.advance(Math.min(left, MINUTE_MS));
    await watch.look();
  }
}

let ids = 0;
const writes = () => store.messages.accept(messageOf(`m${++ids}`));

/** Starts what the sidecar starts anew: the store and who watches it. */
function start(afterMs = 4 * HOUR_MS) {
  const hours = readOpeningHours("9-18");
  if (!hours) throw new Error("these are no hours");
  store = openStore(dir, clock);
  watch = new QuietWatch({
    ...{ store, clock, limits: { afterMs, hours }, log: openLog("error", { write: () => {} }) },
    gateway: {
      get state() {
        const account = accountState(connected ? "connected" : "reconnecting");
        return { link: "up" as const, process: null, accounts: new Map([["default", account]]) };
      },
    },
    isPluginConnected: () => true,
    onChange: () => {
      if (watch.problem) alerts.push(watch.problem);
    },
  });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-quiet-"));
  clock = new SimulatedClock();
  alerts = [];
  connected = true;
  clock.advance(msUntil(9));
  start();
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

it("tells once when nothing came in for as many opening hours, until something comes in, and again the next time", async () => {
  await writes();
  await to(12, 59);
  expect([alerts, watch.problem]).toEqual([[], null]);
  await to(13);
  const text = expect.stringMatching(
    /^No message has come in for 4 h of the opening hours \(9-18\), though all is connected: the last one came on .* 09:00:00/,
  );
  expect(alerts).toEqual([{ text, quietMs: 4 * HOUR_MS, lastAt: clock.now() - 4 * HOUR_MS }]);
  await to(17);
  expect(alerts).toHaveLength(1);
  await writes();
  await watch.look();
  expect([watch.problem, watch.isKnown]).toEqual([null, true]);
  // An hour of this day, and three of the next.
  await to(11, 59);
  expect(alerts).toHaveLength(1);
  await to(12);
  expect(alerts).toHaveLength(2);
});

it("finds a quiet night and a quiet evening good", async () => {
  await to(17);
  await writes();
  await to(8, 59);
  expect(watch.problem).toBeNull();
});

it("does not begin anew at a restart, and tells again of what lasts", async () => {
  await writes();
  await to(12);
  store.close();
  start();
  await to(12, 59);
  expect(alerts).toEqual([]);
  await to(13);
  expect(alerts).toHaveLength(1);
  store.close();
  start();
  await pass(30 * MINUTE_MS);
  expect(alerts).toHaveLength(2);
});

it("makes no hours of a clock that jumps, whether it runs or not", async () => {
  await writes();
  await pass(HOUR_MS);
  clock.jump(20 * DAY_MS);
  await pass(HOUR_MS);
  expect(alerts).toEqual([]);
  clock.jump(-20 * DAY_MS);
  store.close();
  clock.jump(-DAY_MS);
  start();
  await pass(HOUR_MS);
  expect(alerts).toEqual([]);
  await to(13);
  expect(alerts).toHaveLength(1);
});

it("tells nothing while something is not connected, nor before what waited there can have come", async () => {
  await writes();
  connected = false;
  await to(14);
  expect(alerts).toEqual([]);
  // It may be quiet, or not: nobody can say.
  expect(watch.isKnown).toBe(false);
  connected = true;
  await pass(10 * MINUTE_MS);
  expect(alerts).toEqual([]);
  await pass(MINUTE_MS);
  expect(alerts).toHaveLength(1);
});

it("tells when none has ever come", async () => {
  await to(13);
  expect(alerts).toMatchObject([{ text: expect.stringContaining("none is known"), lastAt: null }]);
});

it("tells nothing when nobody wants to know", async () => {
  store.close();
  start(0);
  watch.start();
  watch.stop();
  await writes();
  expect([watch.problem, watch.isKnown]).toEqual([null, true]);
});
