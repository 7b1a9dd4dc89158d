import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import WebSocket from "ws";
import { GATEWAY_TOKEN, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";

// The real sidecar with doubles of Hot Bags and the gateway, on a disk that is full: no file of it may grow beyond a limit, which is set and lifted while it runs.

const TOKEN = "bridge-token-of-the-outage-test";
const CHATS = 20;
const LASTS_MS = 4_000;

let dir: string;
let port: number;
let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: SidecarProcess;
let plugin: WebSocket;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-outage-"));
  port = await freePort();
  hotbags = await startHotBags({ token: "bearer" });
  gateway = await new ScriptedGateway().start();
  const environment = {
    HOTBAGS_BASE_URL: hotbags.url,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${gateway.port}`,
    OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN: TOKEN,
    BRIDGE_STATE_DIR: dir,
  };
  sidecar = new SidecarProcess(environment, { fileLimitKiB: 1_000_000 });
  await sidecar.start();
  plugin = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  await once(plugin, "open");
  await answer({ v: 1, type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" });
});
afterEach(async () => {
  plugin.terminate();
  await sidecar.stop();
  await gateway.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
});

async function answer(frame: unknown) {
  plugin.send(JSON.stringify(frame));
  const [data] = await once(plugin, "message");
  return JSON.parse(String(data)) as { type: string; code?: string };
}

/** A message of a chat of its own. */
function send(n: number) {
  const chat = `+1555000${String(1_000 + n)}`;
  const message = {
    ...{ account_id: "default", message_id: `M${n}`, chat_id: chat, from: chat, text: `text ${n}`, media: [], raw: {} },
    timestamp: "2026-03-01T12:00:00.000Z",
  };
  return answer({ v: 1, type: "message", ref: n, message });
}

async function health() {
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  const body = (await response.json()) as { problems: string[]; messages: Counts; commands: Counts };
  return { ...body, isRed: body.problems.some((problem) => problem.includes("the database can't be written since")) };
}
type Counts = Record<string, number>;

const limitFiles = (to: string) => execFileSync("prlimit", ["--pid", String(sidecar.pid), `--fsize=${to}:unlimited`]);

/** While it lasts a plugin goes on sending, and does not wait as it should. Returns what the sidecar had to say of it all. */
async function livesThroughOutage() {
  await until("the sidecar has found out", async () => (await health()).isRed);
  await until("the log says so", () =>
    sidecar.lines.some(({ msg }) => msg?.startsWith("the database can't be written")),
  );
  const before = sidecar.lines.length;
  const since = performance.now();
  for (let n = 1_000; performance.now() - since < LASTS_MS; n += 1) {
    expect(await send(n)).toMatchObject({ type: "refused", code: "not_stored" });
    // Hundreds a second will do: without a pause the tests beside this one would have no CPU.
    await after(2);
  }
  expect((await health()).isRed).toBe(true);
  const said = sidecar.lines.slice(before).map(({ msg }) => String(msg));
  // Of the gateway there may be something to say at any time.
  return said.filter((msg) => !msg.startsWith("gateway:"));
}

it("while the store can't write, nothing is taken in or asked for, little is said, and it ends by itself", async () => {
  const { promise: full, resolve: isFull } = Promise.withResolvers<void>();
  hotbags.answers(async () => {
    await full;
    return [];
  });
  for (let n = 0; n < CHATS; n += 1) expect(await send(n)).toMatchObject({ type: "ack" });
  await until("all of them were POSTed", () => hotbags.requests.length === CHATS);
  limitFiles("1");
  isFull();
  await until("all are answered", () => hotbags.requests.every(({ endedAt }) => endedAt !== undefined));
  expect(await livesThroughOutage()).toEqual(["message can't be stored"]);
  expect(hotbags.requests.length).toBe(CHATS);

  limitFiles("unlimited");
  await until("all are delivered", async () => (await health()).messages["delivered"] === CHATS, 30_000);
  expect((await health()).isRed).toBe(false);
  expect(hotbags.requests.length).toBe(2 * CHATS);
  expect(hotbags.violations).toEqual([]);
  expect(await send(CHATS)).toMatchObject({ type: "ack" });
  await until("the log says so", () => sidecar.lines.some(({ msg }) => msg === "the database can be written again"));
  const alarms = sidecar.lines.filter(({ alarm }) => alarm === true).map(({ msg }) => msg);
  expect(alarms).toEqual([expect.stringContaining("the database can't be written"), "message can't be stored"]);
}, 60_000);

it("while the store can't write, no reply is sent, and each is sent once in the end", async () => {
  const { promise: full, resolve: isFull } = Promise.withResolvers<void>();
  hotbags.answers(({ text }) => [{ command_id: `c-${text}`, type: "send_text", text: "welcome" }]);
  gateway.send = async ({ idempotencyKey }) => {
    await full;
    return { ok: true, payload: { messageId: `W-${idempotencyKey}` } };
  };
  for (let n = 0; n < CHATS; n += 1) expect(await send(n)).toMatchObject({ type: "ack" });
  await until("all answers are on disk", async () => (await health()).messages["delivered"] === CHATS);
  await until("as many replies as may be are on their way", async () => (await health()).commands["sending"] === 8);
  limitFiles("1");
  isFull();
  expect(await livesThroughOutage()).toEqual(["message can't be stored"]);
  expect(gateway.sends).toHaveLength(8);

  limitFiles("unlimited");
  await until("all are sent", async () => (await health()).commands["sent"] === CHATS, 30_000);
  const keys = gateway.sends.map(({ idempotencyKey }) => idempotencyKey);
  expect(keys).toHaveLength(CHATS);
  expect(new Set(keys).size).toBe(CHATS);
}, 60_000);
