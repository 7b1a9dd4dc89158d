import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from "vitest";
import { askOperator } from "../shop/operator-api.ts";
import { until } from "../until.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { drawMetrics } from "./metrics-doc.ts";
import { type Samples, scrape } from "./scrape.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// GET /metrics of the real sidecar, with traffic of each kind. One sidecar for all: each test looks at what it adds.

let shop: ShopWithOperator;
let before: Samples;
let n = 0;

beforeAll(async () => {
  shop = await ShopWithOperator.start({ HOTBAGS_TIMEOUT: "2" });
});
afterAll(() => shop.close());
beforeEach(async () => {
  n += 1;
  before = await metrics();
});

const metrics = () => scrape(shop.sidecar.port);

/** Another id in each test. */
const message = (name: string, chat = ANNA, timestamp = new Date().toISOString()) =>
  messageOf(`${name}${n}`, chat, { timestamp });

/** By how much each sample has grown in this test. */
async function added(): Promise<Samples> {
  const now = await metrics();
  return Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (before[name] ?? 0)]));
}

/** Resolves with what was added once that is so much of this sample, `name{label="value"}`. */
async function addedOnce(name: string, value: number): Promise<Samples> {
  let last: Samples = {};
  await until(`${value} was added to ${name}`, async () => {
    last = await added();
    return last[name] === value;
  });
  return last;
}

const ask = <Answer>(path: string) => askOperator<Answer>(shop.sidecar.dir, "GET", `/api/v1/${path}`);

interface Figures {
  at: number[];
  messages_in: number[];
  total: { messages_in: number; hops: Record<string, { p95_ms: number | null }> };
}
const figures = () => ask<Figures>("figures?range=hour");

it("has each series before anything has happened, so that the first event is seen", () => {
  for (const name of [
    'hotbags_post_attempts_total{outcome="tls"}',
    'hotbags_send_duration_seconds_count{outcome="queued_by_gateway"}',
    'hotbags_frames_refused_total{code="too_large"}',
    'hotbags_commands_total{end="skipped"}',
    'hotbags_whatsapp_accounts{state="logged_out"}',
  ])
    expect(before).toHaveProperty([name], 0);
  expect(before).toMatchObject({ hotbags_plugin_connected: 1, hotbags_ledger_imbalance: 0, hotbags_breaker_open: 0 });
});

it("counts a message on its way, and how long each hop took", async () => {
  await shop.plugin.handIn(message("A"));
  expect(await addedOnce('hotbags_commands_total{end="sent"}', 1)).toMatchObject({
    hotbags_messages_accepted_total: 1,
    hotbags_messages_delivered_total: 1,
    'hotbags_post_attempts_total{outcome="answered"}': 1,
    'hotbags_post_duration_seconds_count{outcome="answered"}': 1,
    hotbags_message_arrival_seconds_count: 1,
    hotbags_message_delivery_seconds_count: 1,
    'hotbags_send_duration_seconds_count{outcome="sent"}': 1,
    hotbags_reply_delivery_seconds_count: 1,
    hotbags_end_to_end_seconds_count: 1,
    'hotbags_end_to_end_seconds_bucket{le="3600"}': 1,
  });
  expect(await metrics()).toMatchObject({
    'hotbags_connections_total{peer="gateway"}': 1,
    'hotbags_connections_total{peer="whatsapp"}': 1,
    'hotbags_whatsapp_accounts{state="connected"}': 1,
  });
});

it("counts what comes twice once", async () => {
  await shop.plugin.handIn(message("A"));
  expect(await shop.plugin.handIn(message("A"))).toMatchObject({ type: "ack", duplicate: true });
  expect(await added()).toMatchObject({ hotbags_messages_accepted_total: 1, hotbags_message_arrival_seconds_count: 1 });
  await addedOnce('hotbags_commands_total{end="sent"}', 1);
});

it("keeps figures of the same, and says that customers are being answered, or that they are not, and since when", async () => {
  await shop.plugin.handIn(message("F"));
  await addedOnce('hotbags_commands_total{end="sent"}', 1);
  const { at, messages_in, total } = await figures();
  expect([at.length, messages_in.length, total.messages_in > 0]).toEqual([60, 60, true]);
  for (const hop of ["capture", "hotbags", "reply", "whole"]) expect(total.hops[hop]?.p95_ms).toBeGreaterThan(0);

  const path = () => ask<Record<string, unknown> & { hops: Record<string, unknown>[] }>("path");
  const hop = async (name: string) => (await path()).hops.find((one) => one["hop"] === name);
  await until("they are answered", async () => (await path())["answered"] === "yes");
  expect(await hop("plugin")).toMatchObject({ state: "ok" });
  shop.plugin.socket.terminate();
  await until("it is missed", async () => (await path())["answered"] === "no");
  expect(await path()).toMatchObject({ code: "plugin", sentence: expect.stringMatching(/plugin is not connected/) });
  expect(await hop("plugin")).toMatchObject({ state: "down", code: "plugin", since: expect.any(String) });
  shop.plugin = await shop.sidecar.connect();
});

it("names how a POST has failed, and shows what waits and what is dead", async () => {
  const waits = message("B", BEN);
  shop.hotbags.faultFor(({ text }) => text === waits.text, { status: 503 }, Number.POSITIVE_INFINITY);
  await shop.plugin.handIn(waits);
  // An id that another chat has used is a dead letter at once.
  await shop.plugin.handIn({ ...waits, chat_id: ANNA });
  const failed = 'hotbags_post_attempts_total{outcome="http_5xx"}';
  await until("it has failed", async () => ((await added())[failed] ?? 0) > 0);
  const shown = await added();
  expect(shown).toMatchObject({ 'hotbags_messages{state="waiting"}': 1, 'hotbags_messages{state="dead"}': 1 });
  expect(shown['hotbags_post_duration_seconds_count{outcome="failed"}']).toBeGreaterThan(0);
  expect((await metrics())["hotbags_oldest_message_wait_seconds"]).toBeGreaterThan(0);
  shop.hotbags.clearFaults();
  await addedOnce('hotbags_commands_total{end="sent"}', 1);
});

it("names what a refused frame was refused for", async () => {
  expect(await shop.plugin.ask({ type: "message", ref: 99, message: {} })).toMatchObject({ type: "refused" });
  expect(await added()).toMatchObject({ 'hotbags_frames_refused_total{code="bad_message"}': 1 });
});

it("counts a command that is in doubt, and one that is refused", async () => {
  const { send } = shop.gateway;
  onTestFinished(() => {
    shop.gateway.send = send;
  });
  const partial = { code: "UNAVAILABLE", message: "no", details: { partialDelivery: {} } };
  shop.gateway.send = () => ({ ok: false, error: partial });
  const asked = message("C");
  const [good, bad] = ["good", "bad"].map((id) => ({ command_id: `${id}${n}`, type: "send_text" }));
  const body = JSON.stringify({ commands: [{ ...good, text: "hello" }, bad] });
  shop.hotbags.faultFor(({ text }) => text === asked.text, { status: 200, body });
  await shop.plugin.handIn(asked);
  expect(await addedOnce('hotbags_commands{state="in_doubt"}', 1)).toMatchObject({
    'hotbags_send_duration_seconds_count{outcome="in_doubt"}': 1,
    'hotbags_commands_total{end="failed"}': 1,
  });
});

it("knows of the plugin's outbox what the plugin says", async () => {
  const status = { outbox_messages: 3, outbox_bytes: 2_048, oldest_at: "2026-03-01T12:00:00.000Z", parked_messages: 2 };
  shop.plugin.socket.send(JSON.stringify({ v: 1, type: "status", ...status }));
  await until("it has heard it", async () => (await metrics())["hotbags_outbox_messages"] === 3);
  expect(await metrics()).toMatchObject({
    hotbags_outbox_bytes: 2_048,
    hotbags_outbox_parked_messages: 2,
    hotbags_outbox_oldest_timestamp_seconds: Date.parse("2026-03-01T12:00:00.000Z") / 1_000,
  });
});

it("docs/metrics.md says what each one is", async () => {
  const response = await fetch(`http://127.0.0.1:${shop.sidecar.port}/metrics`);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  await expect(drawMetrics(await response.text())).toMatchFileSnapshot("../../docs/metrics.md");
});

it("begins anew with another process, still knows what is there, and of the outbox nothing until it is told", async () => {
  await shop.plugin.handIn(message("D"));
  await shop.plugin.handIn(message("D", BEN));
  await addedOnce('hotbags_commands_total{end="sent"}', 1);
  const { [`hotbags_messages{state="dead"}`]: dead } = await metrics();
  const { total: passed } = await figures();
  await shop.restart();
  expect((await figures()).total).toMatchObject({ messages_in: passed.messages_in, hops: passed.hops });
  const shown = await metrics();
  expect(shown).toMatchObject({
    hotbags_messages_accepted_total: 0,
    hotbags_messages_delivered_total: 0,
    'hotbags_commands_total{end="sent"}': 0,
    'hotbags_messages{state="dead"}': dead,
  });
  expect(Object.keys(shown)).not.toContain("hotbags_outbox_messages");
});
