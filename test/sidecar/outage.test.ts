import { execFileSync } from "node:child_process";
import { setTimeout as after } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// The real sidecar with doubles of Hot Bags and the gateway, on a disk that is full: no file of it may grow beyond a limit, which is set and lifted while it runs.

const CHATS = 20;
const LASTS_MS = 4_000;

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  gateway = await new ScriptedGateway().start();
  sidecar = await BuiltSidecar.start({ hotbags, gateway, fileLimitKiB: 1_000_000 });
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  await gateway.stop();
  await hotbags.close();
});

/** A message of a chat of its own. */
const send = (n: number) => plugin.handIn(messageOf(`M${n}`, `+1555000${1_000 + n}`));

async function health() {
  const { body } = await sidecar.health<{ problems: string[]; messages: Counts; commands: Counts }>();
  return { ...body, isRed: body.problems.some((problem) => problem.includes("the database can't be written since")) };
}
type Counts = Record<string, number>;

const limitFiles = (to: string) =>
  execFileSync("prlimit", ["--pid", String(sidecar.process.pid), `--fsize=${to}:unlimited`]);

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
