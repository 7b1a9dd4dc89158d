import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { literal } from "../../sidecar/src/gateway/index.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// What an operator sees of a number that WhatsApp has locked, and of the reply that OpenClaw has in its own queue then.

const END = "2126-01-05T10:00:00.000Z";
const LOCKED = {
  code: "UNAVAILABLE",
  message: `OutboundDeliveryError: WhatsApp reachout timelock is active; direct messages are temporarily blocked (type=BIZ_QUALITY, until=${END})`,
  details: { code: "OUTBOUND_DELIVERY_QUEUED" },
};

let hook: AlertHook;
let gateway: ScriptedGateway;
let hotbags: HotBags;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  hook = await startAlertHook();
  gateway = await new ScriptedGateway().start();
  gateway.send = () => ({ ok: false, error: LOCKED });
  gateway.history = () => [];
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
  sidecar = await BuiltSidecar.start({ hotbags, gateway, env: { ALERT_WEBHOOK_URL: hook.url } });
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
  hook.close();
});

const health = async () => (await sidecar.health<{ problems: string[]; commands: Record<string, unknown> }>()).body;
const commands = async (counts: Record<string, unknown>) => expect((await health()).commands).toMatchObject(counts);
const queued = () =>
  until("it is in OpenClaw's queue", async () => (await health()).commands["queued_by_gateway"] === 1);

/** What the plugin says of the reply to Anna. */
function tell(what: { success: boolean; reason?: string; whatsapp_message_id: string | null }) {
  const text_sha256 = createHash("sha256").update(literal("hello")).digest("hex");
  const about = { account_id: "default", to: ANNA, text_sha256, at: new Date().toISOString() };
  plugin.socket.send(JSON.stringify({ v: 1, type: "sent", ...about, ...what }));
}

it("says that the number is locked and until when, and that it is over when OpenClaw has sent from its queue", async () => {
  await plugin.handIn(messageOf("A1", ANNA));
  await queued();
  await until("the alert has come", () => hook.alerts.length > 0);
  expect(hook.alerts).toEqual([
    expect.objectContaining({ alert: "lock", account: "default", until: END, enforcement: "BIZ_QUALITY" }),
  ]);
  await plugin.handIn(messageOf("B1", BEN));
  const sentence = `WhatsApp has locked account default (reach-out time lock, BIZ_QUALITY), until ${END}: `;
  const problems = async () => (await health()).problems.filter((problem) => problem.startsWith(sentence));
  await until(
    "the next one waits",
    async () => (await problems())[0]?.endsWith("Replies of 1 chat wait here for that") === true,
  );
  expect(gateway.sends).toHaveLength(1);

  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  tell({ success: true, whatsapp_message_id: "WA-1" });
  await until("all are sent", async () => (await health()).commands["sent"] === 2);
  await commands({ queued_by_gateway: 0, sent_from_gateway_queue: 1, dropped_by_gateway: 0, pending: 0 });
  expect(await problems()).toEqual([]);
  expect(gateway.sends.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["to-A1", "to-B1"]);
});

it("counts what OpenClaw gave up, and says why of the last", async () => {
  await plugin.handIn(messageOf("A1", ANNA));
  await queued();
  await commands({ dropped_by_gateway: 0, last_dropped_by_gateway: null });
  tell({ success: false, reason: "delivery owner state is unknown", whatsapp_message_id: null });
  await until("it is in doubt", async () => (await health()).commands["in_doubt"] === 1);
  await commands({
    queued_by_gateway: 0,
    dropped_by_gateway: 1,
    last_dropped_by_gateway: {
      at: expect.any(String),
      message_id: "A1",
      reason: "OpenClaw gave it up, and may have sent it",
    },
  });
  expect(gateway.sends).toHaveLength(1);
});
