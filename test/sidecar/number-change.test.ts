import { afterEach, beforeEach, expect, it } from "vitest";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// The real sidecar, and a shop whose account is linked to another phone while replies wait.

const OLD = "+15559990000";
const NEW = "+15559990077";
const AWAY = { ...CONNECTED, running: false, connected: false, healthState: "logged-out" };

let hook: AlertHook;
let gateway: ScriptedGateway;
let hotbags: HotBags;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  hook = await startAlertHook();
  gateway = await new ScriptedGateway().start();
  gateway.number = OLD;
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
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

type Report = {
  problems: string[];
  gateway: { accounts: Record<string, string> };
  commands: { pending: number; sent: number };
};
const health = async () => (await sidecar.health<Report>()).body;
const accountIs = (what: string) =>
  until(`the account is ${what}`, async () => (await health()).gateway.accounts["default"]?.includes(what), 20_000);
const problems = async () => (await health()).problems.filter((problem) => problem.includes("another phone number"));
const writes = (id: string, chat: string, to: string) => plugin.handIn(messageOf(id, chat, { raw: { To: to } }));
const keys = () => gateway.sends.map(({ idempotencyKey }) => idempotencyKey);

/** A reply waits for WhatsApp when another phone is linked. */
async function relinked(number: string) {
  gateway.accounts = [AWAY];
  await accountIs("logged this device out");
  await writes("A1", ANNA, OLD);
  await until("its reply waits", async () => (await health()).commands.pending === 1);
  gateway.number = number;
  gateway.accounts = [CONNECTED];
  await accountIs("WhatsApp is connected");
}

it("keeps replies from leaving by another number, says what to do, and lets them go when it is told to", async () => {
  await relinked(NEW);
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(await problems()).toEqual([
    expect.stringMatching(/^replies of 1 chat\(s\) wait: account default .*BRIDGE_FORMER_NUMBERS/),
  ]);
  await until("the alert has come", () => hook.alerts.length > 0);
  const numbers = { account: "default", written_to: "+1555…00", linked: "+1555…77" };
  expect(hook.alerts).toEqual([expect.objectContaining({ alert: "number", ...numbers })]);

  await writes("B1", BEN, NEW);
  await until("who writes to the new number is answered", () => keys().includes("to-B1"));
  expect(keys()).toEqual(["to-B1"]);

  plugin.socket.terminate();
  await sidecar.process.stop();
  sidecar.process.configure({ BRIDGE_FORMER_NUMBERS: OLD });
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await until("the reply is sent", () => keys().includes("to-A1"));
  expect(await problems()).toEqual([]);
});

it("lets them go when the right phone is linked again", async () => {
  await relinked(NEW);
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(keys()).toEqual([]);
  gateway.number = OLD;
  await until("the reply is sent", () => keys().includes("to-A1"), 20_000);
  await until("the problem has passed", async () => (await problems()).length === 0);
});

it("holds nothing when the same phone is linked again", async () => {
  await relinked(OLD);
  await until("the reply is sent", () => keys().includes("to-A1"), 20_000);
  expect(hook.alerts).toEqual([]);
});
