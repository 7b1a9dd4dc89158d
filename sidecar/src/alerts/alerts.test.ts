import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { until } from "../../../test/until.ts";
import { openStore, type Store } from "../store/index.ts";
import { Alerts } from "./alerts.ts";
import type { Condition } from "./condition.ts";
import type { Attempt, Channel, Notice } from "./notice.ts";
import type { Kind } from "./table.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What came by the channel, in order. */
let told: Notice[];
/** What the channel answers. */
let answer: Attempt;
let clock: SimulatedClock;
let dir: string;
let store: Store;
let alerts: Alerts;
/** What is so now. */
let now: Condition[];
let unknown: Kind[];

beforeEach(async () => {
  [told, now, unknown] = [[], [], []];
  answer = { ok: true };
  clock = new SimulatedClock();
  dir = mkdtempSync(join(tmpdir(), "hotbags-alerts-"));
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(dir, { recursive: true });
});

const LIMITS = { repeatMs: 4 * HOUR_MS, calmMs: MINUTE_MS };

function channelTo(name: Channel["name"], list: Notice[]): Channel {
  const send = async (notice: Notice) => {
    if (answer.ok) list.push(notice);
    return answer;
  };
  return { name, send, close: async () => {} };
}

async function start() {
  store = openStore(dir, clock);
  const channel = channelTo("ALERT_COMMAND", told);
  alerts = new Alerts({
    ...{ store, instance: null, channels: [channel], clock, timers: clock, provenNow: () => store.provenNow() },
    ...{ log: pino({ level: "silent" }), random: () => 1 },
    limits: LIMITS,
  });
  await alerts.start();
}

async function stop() {
  await alerts.close();
  store.close();
}

async function restart(awayMs = 0) {
  await stop();
  clock.advance(awayMs);
  await start();
}

/** Moves on, and looks every 5 s on the way. */
function pass(ms: number) {
  look();
  for (let left = ms; left > 0; left -= 5_000) {
    clock.advance(Math.min(left, 5_000));
    look();
  }
}

function look() {
  alerts.see({ conditions: now, unknown: new Set(unknown), accounts: new Map() });
}

const loggedOut = (more: Partial<Condition> = {}): Condition => ({
  ...{
    kind: "logged_out",
    subject: "default",
    account: "default",
    text: "It is logged out. Relink it.",
    details: { account: "default" },
  },
  ...{ afterMs: 0, amount: 0, ...more },
});
const states = () => told.map(({ state }) => state);
const tellings = (count: number) => until(`${count} notices have come`, () => told.length === count);

it("tells of what begins, once, and of its end with how long it took", async () => {
  now = [loggedOut()];
  pass(12 * MINUTE_MS);
  now = [];
  pass(2 * MINUTE_MS);
  await tellings(2);
  expect(told).toMatchObject([
    {
      kind: "logged_out",
      state: "started",
      title: "WhatsApp is logged out (default)",
      text: "It is logged out. Relink it.",
    },
    { state: "over", text: expect.stringMatching(/^Over after 12 min( 5 s)?: WhatsApp is logged out \(default\)\.$/) },
  ]);
  expect(told[0]?.id).toBe(told[1]?.id);
  expect([alerts.open, await store.alerts.past(9)]).toMatchObject([[], [{ id: told[0]?.id, returns: 0 }]]);
});

it("tells of nothing that passes before its time", async () => {
  now = [loggedOut({ afterMs: 3 * MINUTE_MS })];
  pass(2 * MINUTE_MS);
  now = [];
  pass(MINUTE_MS);
  now = [loggedOut({ afterMs: 3 * MINUTE_MS })];
  pass(2 * MINUTE_MS);
  expect([told, alerts.open]).toEqual([[], []]);
  pass(MINUTE_MS);
  await tellings(1);
  expect(told[0]?.since).toBe(new Date(clock.now() - 3 * MINUTE_MS).toISOString());
});

it("tells again of what lasts, every four hours", async () => {
  now = [loggedOut()];
  pass(9 * HOUR_MS);
  await tellings(3);
  expect(told[2]).toMatchObject({ state: "lasts", text: "For 8 h now: It is logged out. Relink it." });
});

it("takes what comes and goes within its calm for one", async () => {
  for (let times = 0; times < 10; times += 1) {
    now = [loggedOut()];
    pass(15_000);
    now = [];
    pass(30_000);
  }
  await tellings(1);
  pass(2 * MINUTE_MS);
  await tellings(2);
  expect(told[1]?.text).toContain("(it came and went 9 times): WhatsApp is logged out");
});

it("says that it is back where it is, and then its end only when it was away for ten times as long", async () => {
  for (let times = 0; times < 10; times += 1) {
    now = [loggedOut()];
    pass(MINUTE_MS);
    now = [];
    pass(3 * MINUTE_MS);
  }
  await tellings(3);
  expect(states()).toEqual(["started", "over", "again"]);
  expect(told[2]?.text).toMatch(/^Again, 3 min( 5 s)? after it was over: .*when it was away for 10 min/);
  pass(10 * MINUTE_MS);
  await tellings(4);
  expect(told[3]).toMatchObject({ state: "over", text: expect.stringContaining("came and went 9 times") });
  // An hour later it is a new one.
  pass(HOUR_MS);
  now = [loggedOut()];
  pass(5_000);
  await tellings(5);
  expect(told[4]?.state).toBe("started");
  expect(told[4]?.id).not.toBe(told[0]?.id);
});

it("sums up what is counted: a thousand dead letters are a few notices", async () => {
  const dead = (amount: number): Condition => ({
    ...{
      kind: "dead_letter",
      subject: "",
      account: null,
      text: `There are ${amount}.`,
      details: {},
      afterMs: 0,
      amount,
    },
  });
  for (let amount = 1; amount <= 1_000; amount += 1) {
    now = [dead(amount)];
    clock.advance(1_000);
    look();
  }
  await tellings(2);
  expect(told[1]).toMatchObject({ state: "lasts", text: "900 more: There are 901." });
  pass(HOUR_MS);
  await tellings(3);
  expect(told[2]?.text).toBe("99 more: There are 1000.");
  // Those that are gone are not missed.
  now = [dead(3)];
  pass(5_000);
  now = [dead(4)];
  pass(15 * MINUTE_MS);
  await tellings(4);
  expect(told[3]?.text).toBe("1 more: There are 4.");
});

it("neither tells again of what lasts over a restart, nor forgets to tell of its end", async () => {
  now = [loggedOut()];
  pass(5_000);
  await tellings(1);
  await restart(HOUR_MS);
  pass(MINUTE_MS);
  expect(told).toHaveLength(1);
  await restart(HOUR_MS);
  now = [];
  pass(2 * MINUTE_MS);
  await tellings(2);
  expect(told[1]?.text).toMatch(/^Over after 2 h 1 min/);
  await restart();
  pass(2 * MINUTE_MS);
  expect([told.length, alerts.open]).toEqual([2, []]);
});

it("ends nothing of which nobody can say anything", async () => {
  now = [loggedOut()];
  pass(5_000);
  await restart();
  now = [];
  unknown = ["logged_out"];
  pass(HOUR_MS);
  await tellings(1);
  expect(alerts.open).toHaveLength(1);
  unknown = [];
  pass(2 * MINUTE_MS);
  await tellings(2);
});

it("delivers after a restart what could not be delivered before", async () => {
  answer = { ok: false, passes: true, why: "no answer in time" };
  now = [loggedOut()];
  pass(5_000);
  await until("an attempt has failed", () => alerts.channels[0]?.waiting === 1);
  await stop();
  answer = { ok: true };
  await start();
  await tellings(1);
  expect(told[0]?.state).toBe("started");
  await until("it waits no more", async () => (await store.alertsOf("machine").notices()).length === 0);
});

it("tells of what has happened, and remembers it", async () => {
  const gone = {
    id: "gateway_died-x",
    kind: "gateway_died",
    subject: "",
    account: null,
    text: "It died.",
    details: {},
  } as const;
  expect(await alerts.happened(gone)).toBe(true);
  await tellings(1);
  expect([told[0]?.state, alerts.open, await store.alerts.past(9)]).toMatchObject(["happened", [], [{ id: gone.id }]]);
});

it("tells of what can't be written down, and writes it down when it can", async () => {
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  now = [loggedOut()];
  pass(5_000);
  await tellings(1);
  expect(await store.alerts.open()).toEqual([]);
  other.exec("COMMIT");
  other.close();
  await until("it is written", async () => {
    // The store looks by the clock of the machine whether it can write again.
    look();
    return (await store.alerts.open()).length === 1;
  });
});

it("tries every way, and says what came of it", async () => {
  answer = { ok: false, passes: false, why: "the answer was 404" };
  expect(await alerts.test()).toEqual([
    { channel: "log", ok: true, reason: null },
    { channel: "ALERT_COMMAND", ok: false, reason: "the answer was 404" },
  ]);
});

it("takes other ways over: what waits goes by the one of the same name", async () => {
  answer = { ok: false, passes: false, why: "the answer was 404" };
  now = [loggedOut()];
  pass(5_000);
  await until("it was refused", () => alerts.channels[0]?.problem !== null);
  answer = { ok: true };
  const [byCommand, byWebhook]: [Notice[], Notice[]] = [[], []];
  alerts.adopt([channelTo("ALERT_COMMAND", byCommand), channelTo("ALERT_WEBHOOK_URL", byWebhook)], LIMITS);
  await until("it has come", () => byCommand.length === 1);
  await alerts.happened({ id: "x", kind: "gateway_died", subject: "", account: null, text: "It died.", details: {} });
  await until("both have the next one", () => byCommand.length === 2 && byWebhook.length === 1);
  await until("nothing waits", async () => (await store.alertsOf("machine").notices()).length === 0);
});
