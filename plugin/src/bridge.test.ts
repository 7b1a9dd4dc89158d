import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { Bridge, type BridgeOptions, CLAIM } from "./bridge.ts";
import { INTAKE_LIMITS } from "./intake/intake.ts";
import { LINK_TIMING } from "./link/timing.ts";
import { temporaryFolder } from "./testing/folder.ts";
import { memoryLog } from "./testing/log.ts";
import { directContext, groupContext } from "./testing/messages.ts";
import { sidecarInOtherThread } from "./testing/other-thread.ts";
import { ScratchSidecar, TOKEN } from "./testing/sidecar.ts";
import { until } from "./testing/until.ts";

async function setUp(options: Partial<BridgeOptions> = {}) {
  const sidecar = await ScratchSidecar.start();
  const log = memoryLog();
  const stateDir = temporaryFolder();
  const config: Record<string, unknown> = { sidecarUrl: sidecar.url, token: TOKEN };
  const create = (special: Partial<BridgeOptions> = {}) => {
    const bridge = new Bridge({
      ...{ stateDir, openclawVersion: "2026.9.6", log, isConsumed: (text) => text === "stop" },
      ...{ readConfig: () => config, lookEveryMs: 1 },
      linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5 },
      ...options,
      ...special,
    });
    onTestFinished(() => bridge.stop());
    return bridge;
  };
  return { sidecar, log, create, config };
}

/** `message_received` for a text in Ada's chat. */
function received(text: string, messageId: string) {
  const event = { content: text, messageId, timestamp: 1_767_607_200_000, metadata: { senderE164: "+15550001" } };
  return [event, { channelId: "whatsapp", accountId: "default", conversationId: "+15550001" }] as const;
}

test("a message that both hooks see reaches the sidecar once, in its complete form", async () => {
  const { sidecar, create } = await setUp();
  const bridge = create();
  bridge.start();
  await bridge.onReceived(...received("Hello", "3EB0C0FFEE01"));
  expect(await bridge.onDispatch(directContext())).toBe(CLAIM);
  expect(await bridge.onDispatch(groupContext({ MessageSid: "G1" }))).toBe(CLAIM);
  await until("both arrived", () => sidecar.messages.length === 2);
  expect(sidecar.ids).toEqual(["3EB0C0FFEE01", "G1"]);
  expect(sidecar.messages[0]?.raw).toMatchObject({ SenderName: "Ada", ChatType: "direct" });
  expect(sidecar.violations).toEqual([]);
});

test("a message is on its way when its hook returns, however long OpenClaw keeps the thread then", async () => {
  const { create, config, log } = await setUp();
  const sidecar = await sidecarInOtherThread();
  onTestFinished(() => void sidecar.close());
  config["sidecarUrl"] = sidecar.url;
  const bridge = create();
  bridge.start();
  await until("the link is up", () => log.lines.some((line) => line.includes("connected to the sidecar")));
  await bridge.onDispatch(directContext());
  expect(sidecar.standUntilMessage(10_000)).toBe(true);
});

test("what OpenClaw consumes itself arrives by message_received alone, in its place among the chat's messages", async () => {
  const { sidecar, create } = await setUp({ intakeLimits: { ...INTAKE_LIMITS, incompleteConsumedMs: 5 } });
  const bridge = create();
  bridge.start();
  await bridge.onReceived(...received("first", "A1"));
  await bridge.onReceived(...received("stop", "A2"));
  await bridge.onReceived(...received("last", "A3"));
  await bridge.onDispatch(directContext({ MessageSid: "A1", RawBody: "first" }));
  await bridge.onDispatch(directContext({ MessageSid: "A3", RawBody: "last" }));
  await until("all arrived", () => sidecar.messages.length === 3);
  expect(sidecar.messages.map(({ text }) => text)).toEqual(["first", "stop", "last"]);
});

test("a word that OpenClaw does not consume after all is captured once, and waits for nothing", async () => {
  const { sidecar, create } = await setUp();
  const bridge = create({ intakeLimits: { ...INTAKE_LIMITS, incompleteConsumedMs: 60_000 } });
  bridge.start();
  await bridge.onReceived(...received("stop", "A1"));
  await bridge.onDispatch(directContext({ MessageSid: "A1", RawBody: "stop" }));
  await bridge.onDispatch(directContext({ MessageSid: "A2" }));
  await until("the next arrived", () => sidecar.ids.includes("A2"));
  expect(sidecar.ids).toEqual(["A1", "A2"]);
});

test("an unknown thing that OpenClaw consumed goes out after the wait, and those behind it then", async () => {
  const { sidecar, create } = await setUp({ intakeLimits: { ...INTAKE_LIMITS, incompleteMs: 20 } });
  const bridge = create();
  bridge.start();
  await bridge.onReceived(...received("magic word", "A1"));
  await bridge.onDispatch(directContext({ MessageSid: "A2" }));
  await until("both arrived", () => sidecar.ids.length === 2);
  expect(sidecar.ids).toEqual(["A1", "A2"]);
});

test("other channels are left to OpenClaw; its own turns on WhatsApp are silenced but are no messages", async () => {
  const { sidecar, create } = await setUp();
  const bridge = create();
  bridge.start();
  expect(await bridge.onDispatch(directContext({ OriginatingChannel: "telegram" }))).toBeUndefined();
  expect(await bridge.onDispatch(directContext({ InternalTurnSource: "heartbeat" }))).toBe(CLAIM);
  await bridge.onReceived(received("Hello", "A1")[0], { channelId: "telegram" });
  await bridge.onDispatch(directContext({ MessageSid: "last" }));
  await until("arrived", () => sidecar.ids.includes("last"));
  expect(sidecar.ids).toEqual(["last"]);
});

test("what cannot be a message is claimed, kept, and named without its text or number", async () => {
  const { log, create, sidecar } = await setUp();
  const bridge = create();
  bridge.start();
  const lid = { ChatId: "123456789012345@lid", From: "123456789012345@lid", RawBody: "my secret" };
  expect(await bridge.onDispatch(directContext(lid))).toBe(CLAIM);
  await until("reported", () => sidecar.frames.some((f) => f.type === "status" && f.parked_messages === 1));
  expect(log.lines.join()).toMatch(
    /error hotbags: account=default chat=\S+ message_id=3EB0C0FFEE01 .*chat_id: must be/,
  );
  expect(log.lines.join()).not.toMatch(/secret|123456789012345/);
});

test("with a broken configuration messages are captured and the field is named; when it is mended they go", async () => {
  const { log, sidecar, create, config } = await setUp();
  config["sidecarUrl"] = "ws://example.com";
  const bridge = create();
  bridge.start();
  expect(await bridge.onDispatch(directContext())).toBe(CLAIM);
  expect(log.lines.filter((line) => line.startsWith("error"))).toEqual([
    expect.stringMatching(
      /^error hotbags: messages are kept but not forwarded: plugins\.entries\.hotbags\.config\.sidecarUrl/,
    ),
  ]);
  config["sidecarUrl"] = sidecar.url;
  await until("arrived", () => sidecar.ids.length === 1);
});

test("an edited configuration is used within moments, by the link alone", async () => {
  const { sidecar, create, config } = await setUp();
  config["token"] = "wrong";
  const bridge = create();
  bridge.start();
  await bridge.onDispatch(directContext({ MessageSid: "before" }));
  await until("refused", () => sidecar.rejected > 0);
  config["token"] = TOKEN;
  await until("arrived", () => sidecar.ids.includes("before"));
  config["sidecarUrl"] = sidecar.url.replace("127.0.0.1", "localhost");
  await until("connected anew", () => sidecar.connections > 1);
  await bridge.onDispatch(directContext({ MessageSid: "after" }));
  await until("arrived", () => sidecar.ids.includes("after"));
});

test("what an instance without a link stores goes out at once by the one that has it", async () => {
  const { sidecar, create } = await setUp({ lookEveryMs: 60_000 });
  const started = create();
  started.start();
  const other = create();
  await started.onReceived(...received("Hello", "A1"));
  await other.onDispatch(directContext({ MessageSid: "A1" }));
  await other.onDispatch(directContext({ MessageSid: "A2" }));
  await until("arrived", () => sidecar.ids.length === 2);
  expect(sidecar.ids).toEqual(["A1", "A2"]);
  expect(sidecar.messages[0]?.raw).toHaveProperty("ChatType");
});

test("two instances beside each other (an upgrade) lose no message", async () => {
  const { sidecar, create } = await setUp();
  let bridge = create();
  bridge.start();
  for (let n = 0; n < 40; n += 1) {
    if (n % 10 === 5) {
      const old = bridge;
      bridge = create();
      bridge.start();
      await old.onDispatch(directContext({ MessageSid: `M${n}-during` }));
      await old.stop();
      await old.onDispatch(directContext({ MessageSid: `M${n}-after` }));
    }
    await bridge.onDispatch(directContext({ MessageSid: `M${n}` }));
  }
  const expected = Array.from({ length: 40 }, (_, n) =>
    n % 10 === 5 ? [`M${n}-during`, `M${n}-after`, `M${n}`] : [`M${n}`],
  );
  await until("all arrived", () => new Set(sidecar.ids).size === expected.flat().length, 15_000);
  expect([...new Set(sidecar.ids)].toSorted()).toEqual(expected.flat().toSorted());
});

test("a send that the gateway observed is reported by its hash", async () => {
  const { sidecar, create } = await setUp();
  const bridge = create();
  bridge.start();
  bridge.onSent({ to: "+15550001", content: "Yes!", success: true }, { channelId: "whatsapp", accountId: "default" });
  bridge.onSent({ to: "+15550001", content: "Yes!", success: true }, { channelId: "telegram" });
  await until("reported", () => sidecar.frames.some((frame) => frame.type === "sent"));
  expect(sidecar.frames.filter((frame) => frame.type === "sent")).toHaveLength(1);
});

test("an instance that was killed between the hooks leaves its messages to the next one", async () => {
  const { sidecar, create } = await setUp();
  const killed = create({ intakeLimits: { ...INTAKE_LIMITS, incompleteMs: 60_000 } });
  await killed.onReceived(...received("Hello", "A1"));
  create({ intakeLimits: { ...INTAKE_LIMITS, incompleteMs: 5 } }).start();
  await until("arrived", () => sidecar.ids.length === 1);
});

test("start and stop leave nothing open: a process that has done both three times ends by itself", async () => {
  const sidecar = await ScratchSidecar.start();
  const script = fileURLToPath(new URL("./testing/restart-and-exit.ts", import.meta.url));
  const args = [script, temporaryFolder(), sidecar.url, TOKEN];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 15_000 });
  expect(JSON.parse(stdout)).toEqual([]);
  expect(sidecar.connections).toBe(3);
});

test("an error of OpenClaw's is in the log with its numbers masked", async () => {
  const { log, create } = await setUp();
  const readConfig = () => {
    throw new Error("no settings for +15550001001 or 120363000000000001@g.us");
  };
  create({ readConfig }).start();
  await until("it is said", () => log.lines.some((line) => line.includes("no settings for")));
  expect(log.lines.find((line) => line.includes("no settings for"))).toContain(
    "no settings for +1555…01 or 1203…01@g.us",
  );
});
