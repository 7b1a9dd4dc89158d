import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { Bridge } from "../bridge.ts";
import { LINK_TIMING } from "../link/timing.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { directContext } from "../testing/messages.ts";
import { ScratchSidecar, TOKEN } from "../testing/sidecar.ts";
import { until } from "../testing/until.ts";
import { BEAT_MS, readStatus, StatusBoard, statusFile } from "./status.ts";
import { reportStatus } from "./status-report.ts";
import { statusTable } from "./status-table.ts";

/** Linux gives no process an id this high (PID_MAX_LIMIT): nobody can have it by now. */
const GONE = 2 ** 22 + 1;

async function setUp() {
  const sidecar = await ScratchSidecar.start();
  const stateDir = temporaryFolder();
  const config: Record<string, unknown> = { sidecarUrl: sidecar.url, token: TOKEN, lowDiskBytes: 0 };
  const log = memoryLog();
  const create = () => {
    const bridge = new Bridge({
      ...{ stateDir, openclawVersion: "2026.9.6", log, isConsumed: () => false },
      ...{ readConfig: () => config, lookEveryMs: 1 },
      linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5 },
    });
    onTestFinished(() => bridge.stop());
    return bridge;
  };
  const report = (nowMs = Date.now()) => reportStatus(stateDir, nowMs);
  const reported = (what: string, is: (now: Awaited<ReturnType<typeof report>>) => boolean) =>
    until(what, async () => is(await report())).then(() => report());
  /** Makes the status that of a gateway that was killed: its process is gone, and nobody wrote a last word. */
  const kill = async (bridge: Bridge) => {
    const killed = { ...JSON.parse(readFileSync(statusFile(stateDir), "utf8")), pid: GONE };
    await bridge.stop();
    writeFileSync(statusFile(stateDir), JSON.stringify(killed));
  };
  return { sidecar, stateDir, config, log, create, report, reported, kill };
}

test("before the plugin ever ran the report says so, and touches nothing", async () => {
  const { report, stateDir } = await setUp();
  expect(await report()).toMatchObject({ ok: false, link: null, outbox: null, hook: null, last_ack_at: null });
  expect((await report()).problems).toEqual([expect.stringContaining(`has not run yet on ${stateDir}`)]);
  expect(statusTable(await report())).toContain("✗ the plugin has not run yet");
});

test("a running bridge reports its link, its last ack, and its hook's own time over the captured messages", async () => {
  const { sidecar, create, reported } = await setUp();
  const bridge = create();
  bridge.start();
  for (const MessageSid of ["A1", "A2", "A3"]) await bridge.onDispatch(directContext({ MessageSid }));
  await bridge.onDispatch(directContext({ OriginatingChannel: "telegram" }));
  const report = await reported("all acknowledged", (now) => now.last_ack_at !== null && now.outbox?.messages === 0);
  expect(report.problems).toEqual([]);
  expect(report).toMatchObject({
    ...{ ok: true, in_memory: 0, outbox: { messages: 0, bytes: 0, set_aside: 0, oldest: null } },
    gateway: { running: true, pid: process.pid, openclaw_version: "2026.9.6" },
    link: { up: true, address: `${sidecar.url}/`, why: null },
  });
  const { hook } = await reported("all measured", (now) => now.hook?.captures === 3);
  expect(hook?.p50_ms).toBeGreaterThan(0);
  expect(hook?.max_ms).toBeGreaterThanOrEqual(hook?.p95_ms ?? Number.NaN);
  expect(statusTable(report)).toMatch(/^ {2}link {6}up since .* to ws:\/\/127\.0\.0\.1:\d+\/$/m);
});

test("the hook's time is reported by the instance that runs, whichever instance's hook was called", async () => {
  const { create, reported } = await setUp();
  create().start();
  await create().onDispatch(directContext());
  const { hook } = await reported("measured", (now) => now.hook !== null);
  expect(hook?.captures).toBe(1);
});

test("with the sidecar away it reports since when and why, and the message that waits longest, masked", async () => {
  const { sidecar, stateDir, create, reported } = await setUp();
  await sidecar.stop();
  const bridge = create();
  bridge.start();
  const before = Date.now();
  await bridge.onDispatch(directContext({ MessageSid: "A1", ChatId: "+15550001234", RawBody: "my secret" }));
  await bridge.onDispatch(directContext({ MessageSid: "A2", ChatId: "+15550001234" }));
  const report = await reported("refused", (now) => now.link?.why?.includes("ECONNREFUSED") ?? false);
  expect(report).toMatchObject({ ok: false, link: { up: false }, outbox: { messages: 2, set_aside: 0 } });
  expect(report.problems).toEqual([expect.stringContaining("the link to the sidecar is down: connect ECONNREFUSED")]);
  expect(report.outbox?.oldest).toMatchObject({ message_id: "A1", chat: "+1555…34" });
  expect(report.outbox?.oldest?.captured_at).toBeGreaterThanOrEqual(before);
  const shown = JSON.stringify(report) + statusTable(report) + readFileSync(statusFile(stateDir), "utf8");
  for (const secret of ["my secret", "15550001234", TOKEN]) expect(shown).not.toContain(secret);
});

test("an unusable configuration is the reason, with its field", async () => {
  const { create, config, reported } = await setUp();
  config["sidecarUrl"] = "ws://example.com";
  create().start();
  const report = await reported("down", (now) => now.link?.why?.includes("sidecarUrl") ?? false);
  expect(report.link?.why).toMatch(/^plugins\.entries\.hotbags\.config\.sidecarUrl must be/);
});

test("a disk that fills up is a problem, in the log and in the report", async () => {
  const { create, config, log, reported } = await setUp();
  config["lowDiskBytes"] = Number.MAX_SAFE_INTEGER;
  create().start();
  const report = await reported("looked at", (now) => now.disk !== null && now.link?.up === true);
  expect(report.disk?.free).toBeGreaterThan(0);
  expect(report.problems).toEqual([expect.stringMatching(/^the disk of .* has [\d.]+ [MG]iB left: .*make room/)]);
  expect(log.lines.filter((line) => line.includes("iB left"))).toHaveLength(1);
  expect(statusTable(report)).toMatch(/^ {2}disk {6}[\d.]+ [MG]iB left$/m);
});

test("a dead letter is a problem, until somebody looks", async () => {
  const { create, reported } = await setUp();
  const bridge = create();
  bridge.start();
  await bridge.onDispatch(directContext({ ChatId: "123456789012345@lid", From: "123456789012345@lid" }));
  const report = await reported("up", (now) => now.link?.up === true);
  expect(report.outbox?.set_aside).toBe(1);
  expect(report.problems).toEqual([expect.stringContaining("1 dead letter in the outbox")]);
});

test("of a gateway that stopped, was killed or hangs it says so, and still shows what waits", async () => {
  const { sidecar, create, report, reported, kill } = await setUp();
  sidecar.answers = () => undefined;
  const stopped = create();
  stopped.start();
  await stopped.onDispatch(directContext());
  await reported("up", (now) => now.link?.up === true);
  expect((await report(Date.now() + 7 * BEAT_MS)).problems).toEqual([expect.stringContaining("it hangs")]);
  await stopped.stop();
  const left = {
    gateway: { running: false, pid: null },
    link: { up: false },
    outbox: { messages: 1 },
    in_memory: null,
  };
  const problems = [expect.stringContaining("no gateway is running")];
  expect(await report()).toMatchObject({ ...left, problems, link: { why: "the gateway stopped" } });
  const killed = create();
  killed.start();
  await reported("up again", (now) => now.link?.up === true);
  await kill(killed);
  expect(await report()).toMatchObject({ ...left, problems, link: { why: "the gateway is gone" } });
});

test("the last ack stays known over a restart, and an instance that was replaced does not say that it stopped", async () => {
  const { stateDir, create, report, reported } = await setUp();
  const first = create();
  first.start();
  await first.onDispatch(directContext());
  const { last_ack_at } = await reported("acknowledged", (now) => now.last_ack_at !== null);
  await until("the clock has moved on", () => Date.now() > (last_ack_at ?? 0));
  const second = create();
  second.start();
  const startedAt = async () => (await readStatus(statusFile(stateDir)))?.started_at ?? 0;
  await until("the second has written", async () => (await startedAt()) > (last_ack_at ?? 0));
  await first.stop();
  expect(await report()).toMatchObject({ last_ack_at, gateway: { running: true } });
});

test("a clock that is set back does not keep the running plugin from reporting", async () => {
  const stateDir = temporaryFolder();
  const board = new StatusBoard(stateDir, "2026.9.6", memoryLog(), { inMemory: () => 0, disk: () => null });
  onTestFinished(() => void vi.restoreAllMocks());
  const writtenAt = async () => (await readStatus(statusFile(stateDir)))?.written_at ?? 0;
  const [wall, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];
  const set = vi.spyOn(Date, "now").mockImplementation(() => wall() + 365 * 24 * 3_600_000);
  board.write();
  await until("it has reported", async () => (await writtenAt()) > wall());
  set.mockImplementation(wall);
  vi.spyOn(performance, "now").mockImplementation(() => monotonic() + 2 * BEAT_MS);
  board.write();
  await until("it has reported by the clock of now", async () => (await writtenAt()) <= wall());
});

test("what is written is of one instant: no ack of a link that it does not know yet", async () => {
  const stateDir = temporaryFolder();
  const board = new StatusBoard(stateDir, "2026.9.6", memoryLog(), { inMemory: () => 0, disk: () => null });
  board.write();
  // The write is under way: it looks for what an earlier run has left.
  await Promise.resolve();
  await Promise.resolve();
  board.dialling("ws://127.0.0.1:18790/");
  board.acknowledged();
  await until("it has reported", async () => (await readStatus(statusFile(stateDir))) !== undefined);
  expect(await readStatus(statusFile(stateDir))).toMatchObject({
    link: { address: "ws://127.0.0.1:18790/" },
    last_ack_at: expect.any(Number),
  });
});

test("files that cannot be read are named, and nothing is thrown", async () => {
  const { stateDir, report } = await setUp();
  mkdirSync(join(stateDir, "hotbags"));
  writeFileSync(statusFile(stateDir), '{"version":1');
  writeFileSync(join(stateDir, "hotbags", "outbox.sqlite"), "no database");
  expect((await report()).problems).toEqual([
    expect.stringMatching(/status\.json can't be read/),
    expect.stringMatching(/outbox\.sqlite can't be read/),
  ]);
});
