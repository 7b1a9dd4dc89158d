import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../until.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { drawMetrics } from "./metrics-doc.ts";
import { type Samples, scrape } from "./scrape.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// GET /metrics of the real sidecar, with traffic of each kind. The tests build on one another.

let shop: ShopWithOperator;

beforeAll(async () => {
  shop = await ShopWithOperator.start({ HOTBAGS_TIMEOUT: "2" });
});
afterAll(() => shop.close());

const metrics = () => scrape(shop.sidecar.port);

/** Resolves with all samples once this one has the value; `name{label="value"}`. */
async function metricsOnce(name: string, value: number): Promise<Samples> {
  let last: Samples = {};
  await until(`${name} is ${value}`, async () => {
    last = await metrics();
    return last[name] === value;
  });
  return last;
}

const now = () => new Date().toISOString();

it("shows each series before anything has happened, so that the first event is seen", async () => {
  expect(await metrics()).toMatchObject({
    hotbags_messages_accepted_total: 0,
    'hotbags_post_attempts_total{outcome="http_5xx"}': 0,
    'hotbags_send_duration_seconds_count{outcome="in_doubt"}': 0,
    'hotbags_frames_refused_total{code="bad_message"}': 0,
    'hotbags_commands_total{end="failed"}': 0,
    'hotbags_connections_total{peer="plugin"}': 1,
    hotbags_plugin_connected: 1,
  });
});

it("counts a message on its way, and how long each hop took", async () => {
  await shop.plugin.handIn(messageOf("A", ANNA, { timestamp: now() }));
  expect(await metricsOnce('hotbags_commands_total{end="sent"}', 1)).toMatchObject({
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
    'hotbags_connections_total{peer="gateway"}': 1,
    'hotbags_connections_total{peer="whatsapp"}': 1,
    'hotbags_whatsapp_accounts{state="connected"}': 1,
    'hotbags_messages{state="waiting"}': 0,
    hotbags_healthy: 1,
    hotbags_ledger_imbalance: 0,
  });
});

it("counts what comes twice once", async () => {
  expect(await shop.plugin.handIn(messageOf("A"))).toMatchObject({ type: "ack", duplicate: true });
  expect(await metrics()).toMatchObject({
    hotbags_messages_accepted_total: 1,
    hotbags_message_arrival_seconds_count: 1,
  });
});

it("names how a POST has failed, and shows what waits and what is dead", async () => {
  shop.hotbags.faultFor(({ text }) => text === "B", { status: 503 }, Number.POSITIVE_INFINITY);
  await shop.plugin.handIn(messageOf("B", BEN));
  // An id that another chat has used is a dead letter at once.
  await shop.plugin.handIn(messageOf("A", BEN));
  await until(
    "it has failed",
    async () => ((await metrics())['hotbags_post_attempts_total{outcome="http_5xx"}'] ?? 0) > 0,
  );
  const shown = await metrics();
  expect(shown).toMatchObject({ 'hotbags_messages{state="waiting"}': 1, 'hotbags_messages{state="dead"}': 1 });
  expect(shown["hotbags_oldest_message_wait_seconds"]).toBeGreaterThan(0);
  expect(shown['hotbags_post_duration_seconds_count{outcome="failed"}']).toBeGreaterThan(0);
  shop.hotbags.clearFaults();
  await metricsOnce('hotbags_messages{state="waiting"}', 0);
});

it("names what a refused frame was refused for", async () => {
  expect(await shop.plugin.ask({ type: "message", ref: 99, message: {} })).toMatchObject({ type: "refused" });
  expect(await metrics()).toMatchObject({ 'hotbags_frames_refused_total{code="bad_message"}': 1 });
});

it("counts a command that is in doubt, and one that is refused", async () => {
  shop.gateway.send = () => "hang up";
  shop.hotbags.answers(({ message_id }) => [
    { command_id: `to-${message_id}`, type: "send_text", text: "hello" },
    { command_id: `no-${message_id}`, type: "send_text" },
  ]);
  await shop.plugin.handIn(messageOf("C"));
  const shown = await metricsOnce('hotbags_commands{state="in_doubt"}', 1);
  expect(shown).toMatchObject({
    'hotbags_send_duration_seconds_count{outcome="in_doubt"}': 1,
    'hotbags_commands_total{end="failed"}': 1,
  });
});

it("knows of the plugin's outbox what the plugin says, and nothing before", async () => {
  expect(Object.keys(await metrics())).not.toContain("hotbags_outbox_messages");
  const status = { outbox_messages: 3, outbox_bytes: 2_048, oldest_at: "2026-03-01T12:00:00.000Z", parked_messages: 2 };
  shop.plugin.socket.send(JSON.stringify({ v: 1, type: "status", ...status }));
  expect(await metricsOnce("hotbags_outbox_messages", 3)).toMatchObject({
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

it("begins anew with another process, and still knows what is there", async () => {
  await shop.restart();
  const shown = await metrics();
  expect(shown).toMatchObject({
    hotbags_messages_accepted_total: 0,
    hotbags_messages_delivered_total: 0,
    'hotbags_commands_total{end="sent"}': 0,
    'hotbags_messages{state="dead"}': 1,
    'hotbags_commands{state="in_doubt"}': 1,
  });
});
