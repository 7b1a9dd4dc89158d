import { afterEach, beforeEach, expect, it } from "vitest";
import { ScriptedGateway, type Sent } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// The real sidecar between Hot Bags and another bot, which answer each other for as long as they can.

const PER_MINUTE = 5;

let hook: AlertHook;
let gateway: ScriptedGateway;
let hotbags: HotBags;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;
/** What the other bot has said. */
let said: number;

beforeEach(async () => {
  said = 0;
  hook = await startAlertHook();
  gateway = await new ScriptedGateway().start();
  gateway.send = (sent) => {
    if (sent.to === ANNA) void plugin.handIn(messageOf(`bot-${++said}`));
    return { ok: true, payload: { messageId: `WA-${sent.idempotencyKey}` } };
  };
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "I am a bot, too" }]);
  const env = { ALERT_WEBHOOK_URL: hook.url, BRIDGE_CHAT_REPLIES_PER_MINUTE: String(PER_MINUTE) };
  sidecar = await BuiltSidecar.start({ hotbags, gateway, env });
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
  hook.close();
});

type Report = { ok: boolean; problems: string[]; commands: { held_chats: number; pending: number } };
const health = async () => (await sidecar.health<Report>()).body;
const held = () => until("a reply is held", async () => (await health()).commands.held_chats === 1);
const to = (chat: string) => gateway.sends.filter((sent: Sent) => sent.to === chat);

it("two bots that answer each other are held, with one alert and a red /health, and nobody else is", async () => {
  await plugin.handIn(messageOf("bot-0"));
  await held();
  expect(to(ANNA)).toHaveLength(PER_MINUTE);
  const { ok, problems, commands } = await health();
  expect(ok).toBe(false);
  expect(commands.pending).toBe(1);
  expect(problems).toContainEqual(expect.stringMatching(/^replies of 1 chat\(s\) are held back.*another bot/));

  await until("the alert has come", () => hook.alerts.length > 0);
  const text = expect.stringMatching(/^Replies are held back: the chat \+1555…01 \(account default\) got 5 replies/);
  expect(hook.alerts).toEqual([
    expect.objectContaining({ alert: "runaway", text, account: "default", chat: "+1555…01" }),
  ]);

  await plugin.handIn(messageOf("somebody-else", BEN));
  await until("the other customer is answered", () => to(BEN).length === 1);
});

it("goes on to hold over a kill and a restart, and drops nothing", async () => {
  await plugin.handIn(messageOf("bot-0"));
  await held();
  await sidecar.process.kill();
  plugin.socket.terminate();
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await held();
  expect(to(ANNA)).toHaveLength(PER_MINUTE);

  // The operator lets it go.
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  plugin.socket.terminate();
  await sidecar.process.stop();
  sidecar.process.configure({ BRIDGE_CHAT_REPLIES_PER_MINUTE: "0" });
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await until("the held reply is sent", () => to(ANNA).length === PER_MINUTE + 1);
  expect(to(ANNA).map(({ idempotencyKey }) => idempotencyKey)).toEqual(
    Array.from({ length: PER_MINUTE + 1 }, (_, n) => `to-bot-${n}`),
  );
});
