import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { damage } from "./damage.ts";
import { messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// The real sidecar on a database with a damaged page. Where each message needs that page, one after the other would be
// given up for it: all wait instead. Where few do, those cost themselves. The operator hears of both.

interface Health {
  ok: boolean;
  problems: string[];
  messages: { accepted: number; delivered: number; pending: number; dead: number };
  commands: { pending: number; sent: number; failed: number };
}

let hotbags: HotBags;
let gateway: ScriptedGateway;
let hook: AlertHook;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

const LIVED = 12;
const chatOf = (n: number) => `+1555000${1_000 + n}`;

/** It has lived for a while, and is stopped. */
beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to ${message_id}`, type: "send_text", text: "yes" }]);
  gateway = await new ScriptedGateway().start();
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  hook = await startAlertHook();
  sidecar = await BuiltSidecar.start({ hotbags, gateway, env: { ALERT_WEBHOOK_URL: hook.url } });
  plugin = await sidecar.connect();
  for (let n = 0; n < LIVED; n += 1) await plugin.handIn(messageOf(`old-${n}`, chatOf(n % 4)));
  await until("all are answered", async () => (await health()).commands.sent === LIVED);
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  hook.close();
  await gateway.stop();
  await hotbags.close();
});

const health = async () => (await sidecar.health<Health>()).body;

/** Damages pages while nobody has the database open. */
async function damaged(...page: [name: string, options?: Parameters<typeof damage>[2]]) {
  plugin.socket.terminate();
  await sidecar.process.stop();
  damage(join(sidecar.dir, "bridge.sqlite"), ...page);
  await sidecar.process.start();
  plugin = await sidecar.connect();
}

/** Hands messages of old and new chats in. Returns how many were taken. */
async function handIn(count: number) {
  let taken = 0;
  for (let n = 0; n < count; n += 1)
    if ((await plugin.handIn(messageOf(`new-${n}`, chatOf(n)))).type === "ack") taken += 1;
  return taken;
}

const alerts = () => hook.alerts.filter(({ alert }) => alert === "database");
const newPosts = () => hotbags.requests.filter(({ key }) => key?.startsWith("new-")).length;
const isRed = async () => (await health()).problems.some((problem) => problem.includes("restore a backup"));

/** The last page, where what is new goes. */
const LAST = { pick: (pages: number[]) => pages.slice(-1) };

it.each([
  ["payloads", LAST],
  ["chats", {}],
  ["sqlite_autoindex_chats_1", {}],
  ["messages", LAST],
  ["messages_key", {}],
  ["messages_lane", {}],
  ["messages_delivered", {}],
  ["commands", LAST],
  ["commands_key", {}],
  ["commands_message", {}],
  ["commands_lane", {}],
  ["commands_sending_at", {}],
  ["commands_sending", {}],
  ["commands_sending_boot", {}],
] as const)("where each message needs it, in %s, nothing is given up, and it is red", async (name, options) => {
  await damaged(name, options);
  const taken = await handIn(6);
  await until("it is red", isRed);
  await until("it is told of", () => alerts().length > 0);
  expect(alerts()).toEqual([expect.objectContaining({ scope: "all", text: expect.stringContaining("malformed") })]);
  // What was taken before the damage was met waits, and is asked for no more.
  const posts = newPosts();
  expect(posts).toBeLessThanOrEqual(2 * taken);
  expect(await handIn(3)).toBe(0);
  expect(newPosts()).toBe(posts);
  const { messages, commands } = await health();
  expect(messages).toMatchObject({ accepted: LIVED + taken, dead: 0 });
  expect(messages.delivered + messages.pending).toBe(LIVED + taken);
  expect(commands).toMatchObject({ sent: LIVED, failed: 0 });
  expect(hook.alerts).toHaveLength(1);
});

it("in the table of files, messages without one do not meet it, and those with one wait in the plugin", async () => {
  await damaged("media");
  expect(await handIn(6)).toBe(6);
  await until("all are answered", async () => (await health()).commands.sent === LIVED + 6);
  expect(await health()).toMatchObject({ messages: { pending: 0, dead: 0 } });
  expect(await isRed()).toBe(false);

  const bytes = Buffer.from("a picture");
  const sha256 = await sidecar.upload(bytes);
  const picture = { type: "image" as const, mime_type: "image/png", file_name: null, size_bytes: bytes.length, sha256 };
  const answer = await plugin.handIn(messageOf("with-a-file", chatOf(0), { media: [picture] }));
  expect(answer).toMatchObject({ type: "refused", code: "not_stored", retry: true });
  expect(await isRed()).toBe(true);
  await until("it is told of", () => alerts().length > 0);
  expect(alerts()).toEqual([expect.objectContaining({ scope: "rows" })]);
  // All others go on.
  expect((await plugin.handIn(messageOf("after-it", chatOf(9)))).type).toBe("ack");
  await until("it is answered", async () => (await health()).commands.sent === LIVED + 7);
});

it("where one message needs it, that one is a dead letter with its reason, all others go on, and it is told of", async () => {
  await hotbags.stop();
  const long = { text: "word ".repeat(2_000) };
  expect((await plugin.handIn(messageOf("long", chatOf(0), long))).type).toBe("ack");
  expect((await plugin.handIn(messageOf("behind-it", chatOf(0)))).type).toBe("ack");
  await damaged("payloads", { kind: "overflow" });
  await hotbags.start();
  await until("all are settled", async () => (await health()).messages.pending === 0);
  expect(await health()).toMatchObject({ messages: { dead: 1, last_dead: { message_id: "long" } } });
  await until("the other is answered", async () => (await health()).commands.sent === LIVED + 1);
  expect(await isRed()).toBe(true);
  await until("it is told of", () => alerts().length > 0);
  expect(alerts()).toEqual([expect.objectContaining({ scope: "rows" })]);
});

it("where the accounts' last connections are, all goes on, it is red for as long as it is met, and told of once", async () => {
  await damaged("connections");
  expect(await handIn(6)).toBe(6);
  await until("all are answered", async () => (await health()).commands.sent === LIVED + 6);
  await until("it is red", isRed);
  await until("it is told of", () => alerts().length > 0);
  expect(alerts()).toEqual([expect.objectContaining({ scope: "rows" })]);
});
