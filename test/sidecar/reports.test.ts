import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { EVENTS_PATH, REPORTS_PATH } from "../../shared/src/report.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { REPORT_CONCURRENCY, Reporting } from "../../sidecar/src/relay/reporting.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { type RealRelay, startRelay } from "./real-relay.ts";

// What Hot Bags is told of its commands: by the real store and HTTP client, on a clock that the test moves.

const HOUR_MS = 3_600_000;

let dir: string;
let clock: SimulatedClock;
let hotbags: HotBags;
let relay: RealRelay;
let reporting: Reporting;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-reports-"));
  clock = new SimulatedClock();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `for-${message_id}`, type: "send_text", text: "Hello" }]);
  await start();
});
afterEach(async () => {
  // What hangs ends by it.
  await hotbags.close();
  await stop();
  expect(hotbags.violations).toEqual([]);
  rmSync(dir, { recursive: true });
});

async function start(path: string | null = REPORTS_PATH) {
  relay = await startRelay({ dir, url: hotbags.url, clock, timers: clock });
  lines = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { store, client } = relay;
  const parts = { kind: "reports" as const, store, hotbags: client, clock, timers: clock, log, random: Math.random };
  reporting = new Reporting(parts, { path, maxAgeMs: 24 * HOUR_MS });
  void reporting.start();
}

async function stop() {
  await reporting.stop();
  await relay.stop();
}

/** A message of this id is answered, and its reply ends so. Resolves with the command's number. */
async function replied(id: string, state: "sent" | "in_doubt" = "sent") {
  const { chat } = await relay.takeIn(id);
  const { id: command } = await until("it is answered", () => relay.store.commands.nextOf(chat));
  await relay.store.commands.sending(command, "boot");
  await relay.store.commands.settled(command, state, { reason: null, whatsappMessageId: null });
  return command;
}

const told = () => hotbags.reports.taken.map(({ command_id, state }) => `${command_id} ${state}`);
const tells = (...reports: string[]) =>
  until("Hot Bags is told", () => reports.every((report) => told().includes(report)));
const says = (text: RegExp) => until(`the log says ${text}`, () => lines.find(({ msg }) => text.test(String(msg))));

it("tells each change once, those of one command in order, also after a restart and with a dead end in between", async () => {
  hotbags.reports.next({ status: 503 });
  const command = await replied("A", "in_doubt");
  await says(/reports wait: Hot Bags answered 503 at .*\/whatsapp\/reports/);
  await relay.store.operator.resolve(command, "sent", "anna");
  await stop();
  await start();
  await tells("for-A in_doubt", "for-A resolved");
  await until("none waits", async () => (await relay.store.counters()).reports_waiting === 0);
  expect(told()).toEqual(["for-A in_doubt", "for-A resolved"]);
  const [first, second, third] = hotbags.reports.attempts;
  expect(hotbags.reports.attempts).toEqual([first, first, third]);
  expect(second).not.toBe(third);
  expect(await relay.store.counters()).toMatchObject({ reports_delivered: 2, reports_dropped: 0 });
});

it("an end that hangs holds neither messages nor replies", async () => {
  hotbags.reports.next(...Array.from({ length: REPORT_CONCURRENCY }, () => "hang" as const));
  for (let n = 0; n < REPORT_CONCURRENCY + 2; n += 1) await replied(`A${n}`);
  expect(hotbags.accepted).toHaveLength(REPORT_CONCURRENCY + 2);
  await until("all that may are under way", () => hotbags.reports.attempts.length === REPORT_CONCURRENCY);
  expect((await relay.store.counters()).reports_waiting).toBe(REPORT_CONCURRENCY + 2);
});

it("one that is refused holds no other, and is tried again for as long as a message", async () => {
  hotbags.reports.faultFor(({ command_id }) => command_id === "for-A", { status: 422 }, Number.POSITIVE_INFINITY);
  await replied("A");
  await says(/report refused, and is tried again: Hot Bags answered 422/);
  await replied("B");
  await tells("for-B sent");
  expect(told()).toEqual(["for-B sent"]);
  await until("B is off the list", async () => (await relay.store.counters()).reports_waiting === 1);
  clock.advance(24 * HOUR_MS);
  await says(/1 report to Hot Bags given up: too old\. Hot Bags answered 422/);
  await until("none waits", async () => (await relay.store.counters()).reports_waiting === 0);
  expect(await relay.store.counters()).toMatchObject({ reports_delivered: 1, reports_dropped: 1 });
});

it.each<[string, Parameters<HotBags["reports"]["next"]>[0], RegExp]>([
  ["is not there", { status: 404 }, /correct HOTBAGS_REPORTS_PATH/],
  ["is a login's page", { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }, /a web page/],
  ["breaks", "drop", /reports wait: /],
])("an end that %s is asked again after a wait, and all wait for it together", async (_, fault, why) => {
  hotbags.reports.next(fault);
  await replied("A");
  await says(why);
  await replied("B");
  expect((await relay.store.counters()).reports_waiting).toBe(2);
  expect(reporting.status).toMatchObject({ problem: expect.stringMatching(/.+/) });
  expect(hotbags.reports.attempts).toHaveLength(1);
  clock.advance(1_000);
  await tells("for-A sent", "for-B sent");
  await until("it is over", () => reporting.status.problem === null);
});

it("can be switched on and off: what is not wanted any more is dropped, and told", async () => {
  hotbags.reports.next({ status: 503 });
  await replied("A");
  await says(/reports wait/);
  reporting.adopt({ path: null, maxAgeMs: HOUR_MS });
  await says(/HOTBAGS_REPORTS_PATH is not set any more: 1 report dropped/);
  await replied("B");
  expect((await relay.store.counters()).reports_waiting).toBe(0);
  expect(reporting.status).toMatchObject({ isOn: false, problem: null });
  reporting.adopt({ path: REPORTS_PATH, maxAgeMs: HOUR_MS });
  await replied("C");
  await tells("for-C sent");
  expect(told()).toEqual(["for-C sent"]);
});

it("events go to a path of their own, also while reports have a dead end", async () => {
  hotbags.reports.faultFor(() => true, { status: 503 }, Number.POSITIVE_INFINITY);
  await replied("A");
  await says(/reports wait/);
  const { store, client } = relay;
  const parts = { store, hotbags: client, clock, timers: clock, log: openLog("silent"), random: Math.random };
  const path = EVENTS_PATH;
  const events = new Reporting({ ...parts, kind: "events" }, { path, maxAgeMs: HOUR_MS });
  await events.start();
  hotbags.happenings.next({ status: 422 });
  const up = { processId: null, startedAt: null, connectedAt: null, lastInboundAt: null, state: "up" } as const;
  const connection = { ...up, aliveAt: clock.now(), aliveUptimeMs: null };
  await store.downtimes.record("default", connection, { from: null, to: clock.now(), clockJumpMs: 0 });
  await until("it was refused", () => events.status.problem !== null && hotbags.happenings.attempts.length === 1);
  await until("it waits", async () => (await store.events.headOf(1))?.attempts === 1);
  clock.advance(1_000);
  await until("it is told", () => hotbags.happenings.taken.length === 1);
  expect(hotbags.happenings.taken).toMatchObject([{ type: "downtime", from: null }]);
  await until("none waits", async () => (await store.counters()).events_waiting === 0);
  expect((await relay.store.counters()).reports_waiting).toBe(1);
  await events.stop();
});
