import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import WebSocket from "ws";
import { freePort } from "../hotbags/port.ts";
import { type LogLine, SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";

const TOKEN = "bridge-token-of-the-disk-test";
const FILE_LIMIT_KIB = 600;
const TEXT = "x".repeat(20_000);

let dir: string;
let port: number;
let sidecar: SidecarProcess;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-disk-"));
  port = await freePort();
  // Neither Hot Bags nor a gateway is there: everything stays in the queue.
  const nowhere = await freePort();
  const environment = {
    HOTBAGS_BASE_URL: `http://127.0.0.1:${nowhere}`,
    HOTBAGS_BEARER_TOKEN: "bearer",
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${nowhere}`,
    OPENCLAW_GATEWAY_TOKEN: "gateway",
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_TOKEN: TOKEN,
    BRIDGE_STATE_DIR: dir,
  };
  sidecar = new SidecarProcess(environment, { fileLimitKiB: FILE_LIMIT_KIB });
  await sidecar.start();
});
afterEach(async () => {
  await sidecar.stop();
  rmSync(dir, { recursive: true });
});

it("a full disk: nothing is acked that is not on it, health is red, and it goes on by itself when there is room", async () => {
  const plugin = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const answer = async (frame: unknown) => {
    plugin.send(JSON.stringify(frame));
    const [data] = await once(plugin, "message");
    return JSON.parse(String(data)) as { type: string; code?: string; retry?: boolean };
  };
  const message = (n: number) => ({
    account_id: "default",
    message_id: `M${n}`,
    chat_id: "+15550001001",
    from: "+15550001001",
    text: TEXT,
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
  });
  const send = (ref: number) => answer({ v: 1, type: "message", ref, message: message(ref) });
  const health = async () => (await (await fetch(`http://127.0.0.1:${port}/health`)).json()) as { problems: string[] };
  const diskTrouble = async () =>
    (await health()).problems.filter((problem) => problem.includes("database can't be written"));

  await once(plugin, "open");
  await answer({ v: 1, type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" });
  expect(await diskTrouble()).toEqual([]);

  const acked: string[] = [];
  let ref = 0;
  let refusal = await send(ref);
  while (refusal.type === "ack") {
    acked.push(`M${ref}`);
    ref += 1;
    if (ref > 1_000) throw new Error("the disk never filled up");
    refusal = await send(ref);
  }
  expect(refusal).toMatchObject({ type: "refused", code: "not_stored", retry: true });
  expect(acked.length).toBeGreaterThan(5);
  expect(await diskTrouble()).toHaveLength(1);
  const isAlarm = (line: LogLine) =>
    line.level === "error" && line["alarm"] === true && line["message_id"] === `M${ref}`;
  await until("the alarm is in the log", () => sidecar.lines.some(isAlarm));

  const small = { ...message(ref + 1), text: "small enough for the last page" };
  expect(await answer({ v: 1, type: "message", ref: ref + 1, message: small })).toMatchObject({
    code: "not_stored",
    retry: true,
  });

  execFileSync("prlimit", ["--pid", String(sidecar.pid), "--fsize=unlimited"]);
  await until("the sidecar has found out", async () => (await diskTrouble()).length === 0);
  expect(await send(ref)).toMatchObject({ type: "ack" });
  acked.push(`M${ref}`);

  plugin.terminate();
  await sidecar.kill();
  const tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  expect(tables.prepare("SELECT message_id FROM messages ORDER BY seq").pluck().all()).toEqual(acked);
  expect(tables.pragma("integrity_check", { simple: true })).toBe("ok");
  tables.close();
});
