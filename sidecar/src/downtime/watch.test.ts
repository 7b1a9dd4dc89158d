import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../../../test/until.ts";
import { Alerts } from "../alerts/alerts.ts";
import { openChannels } from "../alerts/channels.ts";
import { systemTimers } from "../clock.ts";
import { accountStatus, readAccount } from "../gateway/account.ts";
import type { Gateway, StatusReport } from "../gateway/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { DowntimeWatch } from "./watch.ts";

const MIN = 60_000;
const T0 = Date.UTC(2026, 2, 3, 1, 0, 0);

let dir: string;
let store: Store;
let watch: DowntimeWatch;
let alerts: Alerts;
let lines: Record<string, unknown>[];
let report: (report: StatusReport) => void;

/** The one thing that it asks of the gateway. test/e2e shows it on the real one. */
const gateway = {
  onStatus: (listener: typeof report) => {
    report = listener;
    return () => {
      report = () => {};
    };
  },
} as unknown as Gateway;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-downtime-"));
  lines = [];
  await start();
});
afterEach(async () => {
  await stop();
  rmSync(dir, { recursive: true });
});

async function start(command: string | null = null) {
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const clock = { now: () => T0, uptimeMs: () => 0, bootMs: () => 0 };
  store = openStore(dir, clock);
  alerts = new Alerts({
    ...{ store, instance: null, channels: openChannels({ webhookUrl: null, webhookFormat: null, command }) },
    ...{ clock, timers: systemTimers, provenNow: () => store.provenNow(), log, random: Math.random },
    limits: { repeatMs: 0, calmMs: 0 },
  });
  watch = new DowntimeWatch({ store, gateway, alerts, log });
  await alerts.start();
  await watch.start();
}

async function stop() {
  await Promise.all([alerts.close(), watch.stop()]);
  store.close();
}

/** `channels.status` of ms after T0 says that the account is connected since `since`, in this gateway process. */
function sees(at: number, process: string, since: number, changes: object = {}, account = "default") {
  const status = {
    accountId: account,
    ...{ enabled: true, linked: true, running: true, connected: true, healthState: "healthy" },
    ...{ lastStartAt: T0 + since - 1_000, lastConnectedAt: T0 + since, ...changes },
  };
  const accounts = new Map([[account, readAccount(accountStatus.parse(status))]]);
  report({ now: T0 + at, uptimeMs: at, process: { id: process, version: "2026.9.6" }, accounts });
}

const raised = () =>
  lines.filter(({ alarm }) => alarm === true).map((line) => [line["account"], line["from"], line["to"]]);
const iso = (ms: number) => new Date(T0 + ms).toISOString();
const linesWith = (text: string) => lines.filter(({ msg }) => String(msg).includes(text));
const said = (text: string) => until(`a line with "${text}"`, () => linesWith(text).length > 0);
const connectedAgain = (times: number) =>
  until(`connected again ${times} times`, () => linesWith("WhatsApp is connected again").length === times);
const written = (accounts = 1) =>
  until("it is on disk", async () => (await store.downtimes.connections()).size === accounts);
const allTold = () => until("all alerts are raised", async () => (await store.downtimes.nextToTell()) === null);

it("raises one alert for a downtime, also over a restart", async () => {
  sees(0, "a", 0);
  await written();
  sees(10 * MIN, "b", 10 * MIN);
  await until("the downtime is on disk", async () => (await store.look()).downtimes.length === 1);
  await allTold();
  sees(10 * MIN + 3_000, "b", 10 * MIN);
  await stop();
  await start();
  sees(11 * MIN, "b", 10 * MIN);
  await said("WhatsApp has stayed connected");
  expect(raised()).toEqual([["default", iso(0), iso(9 * MIN)]]);
});

it("raises none for a short one, and keeps accounts apart", async () => {
  sees(0, "a", 0);
  sees(0, "a", 0, {}, "second");
  await written(2);
  sees(50_000, "b", 50_000);
  sees(5 * MIN, "b", 5 * MIN, {}, "second");
  await connectedAgain(2);
  expect(raised()).toEqual([["second", iso(0), iso(4 * MIN)]]);
});

it("takes no notice of a status that says nothing", async () => {
  sees(0, "a", 0);
  await written();
  sees(3_000, "a", 0, { running: null, connected: null, healthState: null });
  sees(90_000, "a", 0);
  await until(
    "it is written again",
    async () => (await store.downtimes.connections()).get("default")?.aliveAt === T0 + 90_000,
  );
  sees(100_000, "b", 100_000);
  await connectedAgain(1);
  expect(raised()).toEqual([]);
});

it("begins the downtime with what it wrote at its stop", async () => {
  sees(0, "a", 0);
  await written();
  sees(9_000, "a", 0);
  await stop();
  await start();
  sees(10 * MIN, "b", 10 * MIN);
  await connectedAgain(1);
  expect(raised()).toEqual([["default", iso(9_000), iso(9 * MIN)]]);
});

it("writes no more than every 15 s while nothing changes", async () => {
  const writes = new Set<number | undefined>();
  for (let at = 0; at <= MIN; at += 3_000) {
    sees(at, "a", 0);
    // Any commit: it comes after that one, or with it.
    await store.pauses.resume({ accountId: "default", chatId: "nobody" });
    writes.add((await store.downtimes.connections()).get("default")?.aliveAt);
  }
  expect([...writes]).toEqual([0, 15_000, 30_000, 45_000, 60_000].map((ms) => T0 + ms));
});

it("delivers an alert after the next start that was not delivered when the sidecar stopped", async () => {
  await stop();
  await start("exit 1");
  sees(0, "a", 0);
  await written();
  sees(10 * MIN, "b", 10 * MIN);
  await said("not delivered");
  await stop();
  await start("exit 0");
  await said("alert delivered");
  await allTold();
  expect(raised()).toEqual([["default", iso(0), iso(9 * MIN)]]);
});

it("finds a downtime anew that could not be written", async () => {
  sees(0, "a", 0);
  await written();
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("ALTER TABLE downtimes RENAME TO out_of_reach");
  sees(10 * MIN, "b", 10 * MIN);
  await said("can't be written");
  other.exec("ALTER TABLE out_of_reach RENAME TO downtimes");
  other.close();
  sees(10 * MIN + 3_000, "b", 10 * MIN);
  await connectedAgain(1);
  expect(raised()).toEqual([["default", iso(0), iso(9 * MIN)]]);
});

it("leaves it to the line of the outage that nothing can be written, and finds the downtime afterwards", async () => {
  sees(0, "a", 0);
  await written();
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  sees(10 * MIN, "b", 10 * MIN);
  await until("it is known that nothing can be written", () => store.outage !== null);
  other.exec("ROLLBACK");
  other.close();
  await until("it can be written again", () => store.outage === null);
  sees(10 * MIN + 3_000, "b", 10 * MIN);
  await connectedAgain(1);
  expect(lines.filter(({ msg }) => String(msg).includes("can't be written"))).toEqual([]);
  expect(raised()).toEqual([["default", iso(0), iso(9 * MIN)]]);
});
