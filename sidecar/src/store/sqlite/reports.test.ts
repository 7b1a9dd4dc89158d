import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bridgeEvent, type DeliveryReport, deliveryReport } from "@hotbags/shared";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { damage } from "../../../../test/sidecar/damage.ts";
import { ANNA, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { makeRestored, openStore, type Store } from "../index.ts";
import { MAX_REPORTS } from "../reports.ts";

let dir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-reports-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
  await store.reports.turn(true);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const text = (id: string) => ({ commandId: id, type: "send_text", text: id, payload: id, refusal: null });

/** Anna's message is answered with these commands. */
async function answered(...commands: Parameters<Store["messages"]["delivered"]>[3]) {
  const { seq } = await store.messages.accept(messageOf("A"));
  return store.messages.delivered(seq, 200, "{}", commands);
}

async function sending(id: string) {
  const [recorded] = await answered(text(id));
  await store.commands.sending(recorded?.id ?? 0, "boot");
  return recorded?.id ?? 0;
}

/** All that wait, in the order of their lanes. */
function waiting(): DeliveryReport[] {
  const reports: DeliveryReport[] = [];
  const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  for (const body of db.prepare<[], string>("SELECT body FROM reports ORDER BY lane, id").pluck().all())
    reports.push(deliveryReport.parse(JSON.parse(body)));
  expect(reports.length).toBe(
    db.prepare("SELECT value FROM counters WHERE name = 'reports_waiting'").pluck().get() ?? 0,
  );
  db.close();
  return reports;
}

const states = () => waiting().map(({ command_id, state, outcome }) => [command_id, state, outcome].filter(Boolean));
const NOTHING = { reason: null, whatsappMessageId: null };

it("says whose command has become what, and when", async () => {
  const id = await sending("x");
  expect(waiting()).toEqual([]);
  clock.advance(1_000);
  await store.commands.settled(id, "sent", { reason: null, whatsappMessageId: "3EB0" });
  expect(waiting()).toEqual([
    {
      report_id: expect.any(String),
      ...{ command_id: "x", message_id: "A", chat_id: ANNA, transport_session_id: "whatsapp:default" },
      ...{ state: "sent", outcome: null, is_partial: false, whatsapp_message_id: "3EB0", reason: null },
      timestamp: new Date(clock.now()).toISOString(),
    },
  ]);
});

it("tells in its order what was in doubt, and what became of that", async () => {
  const id = await sending("x");
  await store.commands.settled(id, "in_doubt", { reason: "the link broke", whatsappMessageId: null });
  await store.operator.resolve(id, "resend", "anna");
  await store.commands.sending(id, "boot");
  await store.commands.settled(id, "in_doubt", { ...NOTHING, partial: true });
  await store.operator.resolve(id, "sent", "anna");
  expect(waiting().map(({ state, outcome, is_partial, reason }) => ({ state, outcome, is_partial, reason }))).toEqual([
    { state: "in_doubt", outcome: null, is_partial: false, reason: "the link broke" },
    { state: "resolved", outcome: "pending", is_partial: false, reason: "the link broke" },
    { state: "in_doubt", outcome: null, is_partial: true, reason: null },
    { state: "resolved", outcome: "sent", is_partial: false, reason: null },
  ]);
});

it("tells of what is refused or skipped at once, and of nothing that is done with its answer or has no name", async () => {
  const order = { kind: "pause", forMs: 1_000, replies: "skip" } as const;
  const no = { state: "failed", reason: "no" } as const;
  await answered(
    { ...text("bad"), refusal: no },
    { ...text("odd"), refusal: { state: "skipped", reason: "its type is not known here" } },
    { ...text("first") },
    { ...text("first"), payload: "another one under its id" },
    { ...text("nameless"), commandId: null, refusal: no },
    { ...text("pause"), order },
    { ...text("late") },
  );
  expect(states()).toEqual([
    ["bad", "failed"],
    ["odd", "skipped"],
    ["late", "skipped"],
  ]);
});

it("a report is there if and only if its change is: of a write that is taken back there is neither", async () => {
  const id = await sending("x");
  const db = new Database(join(dir, "bridge.sqlite"));
  db.exec("CREATE TRIGGER no BEFORE INSERT ON reports BEGIN SELECT RAISE(ABORT, 'no'); END");
  await expect(store.commands.settled(id, "sent", NOTHING)).rejects.toThrow("no");
  expect(await store.counters()).toMatchObject({ commands_sending: 1, commands_sent: 0, reports_waiting: 0 });
  db.exec("DROP TRIGGER no");
  db.close();
  await store.commands.settled(id, "sent", NOTHING);
  expect(states()).toEqual([["x", "sent"]]);
});

it("outlives the process, with its key and its bytes, until Hot Bags has it", async () => {
  const id = await sending("x");
  await store.commands.settled(id, "sent", NOTHING);
  const before = await store.reports.headOf(id);
  store.close();
  store = openStore(dir, clock);
  await store.reports.turn(true);
  expect(await store.reports.lanes()).toEqual([{ lane: id, next_attempt_at: 0 }]);
  expect(await store.reports.headOf(id)).toEqual(before);
  await store.reports.delivered(before?.id ?? 0);
  await store.reports.delivered(before?.id ?? 0);
  expect(waiting()).toEqual([]);
  expect(await store.counters()).toMatchObject({
    reports_waiting: 0,
    reports_delivered: 1,
    reports_dropped: 0,
  });
});

it("is made for nobody while it is switched off, and what waits then is dropped and counted", async () => {
  const id = await sending("x");
  await store.commands.settled(id, "in_doubt", NOTHING);
  expect(await store.reports.turn(false)).toBe(1);
  await store.commands.proven(id, "sent", null);
  expect(waiting()).toEqual([]);
  expect(await store.counters()).toMatchObject({
    reports_waiting: 0,
    reports_delivered: 0,
    reports_dropped: 1,
  });
});

it("events are told of downtimes, and of accounts that must be linked again: once each, with what they are of", async () => {
  await store.events.turn(true);
  const told = () => {
    const db = new Database(join(dir, "bridge.sqlite"), { readonly: true });
    const bodies = db.prepare<[], string>("SELECT body FROM reports WHERE kind = 'event' ORDER BY id").pluck().all();
    db.close();
    return bodies.map((body) => bridgeEvent.parse(JSON.parse(body)));
  };
  const at = clock.now();
  const connection = {
    ...{ processId: null, startedAt: null, connectedAt: null, lastInboundAt: null },
    aliveUptimeMs: null,
  };
  const up = { ...connection, state: "up", aliveAt: at } as const;
  await store.downtimes.record("default", up, null);
  await store.downtimes.record("default", up, { from: at - 60_000, to: at, clockJumpMs: 0 });
  const alert = {
    ...{ id: "a1", kind: "logged_out", subject: "default", text: "", details: "{}", since_at: at, since: at },
    ...{
      away_since: null,
      told_at: at,
      told_amount: 0,
      returns: 0,
      is_reopened: 0 as const,
      ended_at: null,
      ended: null,
    },
  };
  const over = { ...alert, ended_at: at + 5_000, ended: at + 5_000 };
  await store.alertsOf("machine").write([{ ...alert, id: "a0", kind: "disk" }], []);
  for (const written of [alert, { ...alert, told_at: at + 1 }, over, over, { ...alert, returns: 1 }])
    await store.alertsOf("machine").write([written], []);
  const [from, to] = [new Date(at - 60_000).toISOString(), new Date(at).toISOString()];
  const relink = { cause: "logged_out", from: to, transport_session_id: "whatsapp:default" };
  expect(told()).toMatchObject([
    { type: "downtime", from, to, cause: null, transport_session_id: "whatsapp:default" },
    { ...relink, type: "relink_needed", to: null },
    { ...relink, type: "relinked", to: new Date(at + 5_000).toISOString() },
    { ...relink, type: "relink_needed", to: null },
  ]);
  expect(await store.counters()).toMatchObject({ events_waiting: 4, reports_waiting: 0 });
  expect(await store.events.lanes()).toHaveLength(2);
  expect(await store.events.turn(false)).toBe(4);
});

it("what a restored backup has put in doubt is told once, and not where nobody wants to know", async () => {
  const id = await sending("x");
  await store.commands.settled(id, "queued_by_gateway", NOTHING);
  const restore = async (wanted: boolean) => {
    store.close();
    const at = clock.now();
    makeRestored(join(dir, "bridge.sqlite"), { madeAt: at, restoredAt: at, lostUntil: at }, "anna", () => true);
    store = openStore(dir, clock);
    await store.reports.turn(wanted);
    await store.reports.turn(true);
    await store.reports.turn(true);
  };
  await restore(true);
  expect(waiting()).toMatchObject([
    { command_id: "x", state: "in_doubt", reason: expect.stringContaining("a backup was restored") },
  ]);
  await store.operator.resolve(id, "resend", "anna");
  clock.advance(1);
  await restore(false);
  expect(await store.commands.nextOf(1)).toBeUndefined();
  expect(waiting()).toEqual([]);
});

it("where there are too many the oldest makes room, and is counted", async () => {
  const id = await sending("x");
  const db = new Database(join(dir, "bridge.sqlite"));
  db.exec(`INSERT INTO reports (kind, lane, key, account_id, body, made_at)
    SELECT 'command', 1000 + value, value, 'default', '{}', 0 FROM json_each('[' || substr(replace(hex(zeroblob(${MAX_REPORTS})), '00', ',0'), 2) || ']')`);
  db.exec(`INSERT INTO counters VALUES ('reports_waiting', ${MAX_REPORTS})`);
  const ids = db.prepare<[], number>("SELECT min(id) FROM reports").pluck();
  const before = ids.get() ?? 0;
  await store.commands.settled(id, "sent", NOTHING);
  expect(await store.counters()).toMatchObject({ reports_waiting: MAX_REPORTS, reports_dropped: 1 });
  expect(ids.get()).toBe(before + 1);
  expect(await store.reports.headOf(id)).toMatchObject({ lane: id });
  db.close();
});

it("damage of the reports holds no reply: none is made any more, and it is told", async () => {
  const id = await sending("x");
  store.close();
  damage(join(dir, "bridge.sqlite"), "reports");
  store = openStore(dir, clock);
  await store.reports.turn(true);
  await store.commands.settled(id, "sent", NOTHING);
  expect(await store.counters()).toMatchObject({ commands_sent: 1, reports_waiting: 0 });
  expect(store.damage?.failure).toMatch(/^reports: /);
});

it("of whoever is forgotten nothing is told any more, nor kept", async () => {
  const id = await sending("x");
  await store.commands.settled(id, "in_doubt", NOTHING);
  const request = { number: ANNA, after: 0, left: 0, forgotten: 0, includingWaiting: true };
  await store.operator.forget(request, "eve");
  expect(waiting()).toEqual([]);
  expect(await store.counters()).toMatchObject({ commands_failed: 1, reports_waiting: 0, reports_dropped: 1 });
});
