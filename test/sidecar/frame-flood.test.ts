import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import WebSocket from "ws";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import { connectPlugin, type ScriptedPlugin } from "./scripted-plugin.ts";

// Who has the token and says nothing that can be used, against the real sidecar: a plugin of another release, or broken.

/** Far more than a minute's lines of one kind. */
const MANY = 200;
/** Lines of one kind that are written within a minute. */
const LINES = 20;

/** 40,000 frames there and back take a second of two idle cores, and many times that on a busy machine. */
const FLOOD_MS = 60_000;

let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  sidecar = await BuiltSidecar.start();
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
});

/** The whole log, once the sidecar has ended. */
const about = (lines: LogLine[], what: RegExp) => lines.filter(({ msg }) => what.test(msg ?? ""));

it.each([
  ["no JSON", ["{"]],
  ["one mistake after the other", ['{"v":1,"type":"dance"}', "{", '{"v":1,"type":"message","ref":1,"message":{}}']],
])("frames that are %s, again and again, do not fill the log", async (_what, frames) => {
  for (let n = 0; n < MANY; n++) plugin.socket.send(frames[n % frames.length] ?? "");
  // Answered after all of them.
  await until("they are read", async () => (await plugin.ask({ type: "dance" })).type === "refused");
  expect(await plugin.handIn(messageOf("A"))).toBeDefined();
  const refused = about(await sidecar.wholeLog(), /^frame refused/);
  expect(refused).toHaveLength(LINES);
  expect(refused.at(-1)?.msg).toMatch(/more such lines.*are counted only/);
});

it("nor do those of one connection after the other", async () => {
  for (let n = 0; n < MANY / 4; n++) {
    const other = await sidecar.connect();
    await other.ask({ type: "dance" });
    other.socket.terminate();
  }
  const lines = await sidecar.wholeLog();
  expect(about(lines, /^frame refused/)).toHaveLength(LINES);
  expect(about(lines, /^plugin connected/)).toHaveLength(LINES);
  expect(about(lines, /^plugin disconnected/)).toHaveLength(LINES);
});

it("nor does a hello that is said again and again", async () => {
  for (let n = 0; n < MANY / 4; n++)
    await plugin.ask({ type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" });
  expect(about(await sidecar.wholeLog(), /^plugin connected/)).toHaveLength(LINES);
});

it("nor does a message that is handed in again and again", async () => {
  for (let n = 0; n < MANY / 4; n++) expect(await plugin.handIn(messageOf("A"))).toMatchObject({ type: "ack" });
  const lines = await sidecar.wholeLog();
  expect(about(lines, /^message accepted/)).toHaveLength(1);
  expect(about(lines, /^message was here already/)).toHaveLength(LINES);
});

it(
  "who reads none of the answers is cut off, and nobody else is",
  async () => {
    // A unix socket's buffers in the kernel hold 200 KB; those of TCP hold 10 MB, which must be filled first.
    const folder = mkdtempSync(join(tmpdir(), "hotbags-deaf-"));
    const url = `ws+unix:${folder}/bridge.sock`;
    const local = await BuiltSidecar.start({ env: { BRIDGE_LISTEN: `unix:${folder}/bridge.sock` } });
    try {
      const other = await connectPlugin(url, BRIDGE_TOKEN);
      const { socket: deaf } = await connectPlugin(url, BRIDGE_TOKEN);
      deaf.on("error", () => {});
      deaf.pause();
      const cutOff = local.process.logs(({ msg }) => msg?.includes("cut off: it reads no answers") === true, FLOOD_MS);
      while (deaf.readyState === WebSocket.OPEN) {
        for (let n = 0; n < 1_000; n++) deaf.send("{");
        await new Promise((sent) => deaf.send("{", sent));
      }
      await cutOff;
      deaf.terminate();
      expect(await other.handIn(messageOf("A"))).toMatchObject({ type: "ack" });
      other.socket.terminate();
    } finally {
      await local.close();
      rmSync(folder, { recursive: true });
    }
  },
  FLOOD_MS,
);
