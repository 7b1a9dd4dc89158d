import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import WebSocket from "ws";
import { takeCareOf } from "../openclaw/caretaker.ts";
import { until } from "../until.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";

// The sidecar whose standard output is a file on a disk that is full: no file of it may grow beyond a limit, which can be lifted while it runs.

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));
const FILE_LIMIT_KIB = 4_096;

let built: BuiltSidecar;
let child: ChildProcess | undefined;

beforeEach(async () => {
  built = await BuiltSidecar.prepare();
});
afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await built.close();
});

/** Starts the sidecar with its standard output appended to a file; resolves when it answers. */
async function start(log: string): Promise<ChildProcess> {
  const env = { PATH: process.env["PATH"] ?? "", ...built.env };
  const out = openSync(log, "a");
  // The signal that comes with the limit would end the process; the error is what is wanted.
  const limited = [
    "-c",
    `trap '' XFSZ; ulimit -S -f ${FILE_LIMIT_KIB}; exec "$@"`,
    "bash",
    process.execPath,
    CLI,
    "serve",
  ];
  const started = spawn("bash", limited, { env, detached: true, stdio: ["ignore", out, "inherit"] });
  takeCareOf(started);
  closeSync(out);
  child = started;
  await until("it answers", () =>
    health()
      .then(() => true)
      .catch(() => false),
  );
  return started;
}

const health = async () => (await built.health()).status;

/** Makes the sidecar write so many lines of a kilobyte: it refuses each of these frames, and says so. */
async function provoke(count: number): Promise<void> {
  const plugin = new WebSocket(`ws://127.0.0.1:${built.port}`, {
    headers: { authorization: `Bearer ${BRIDGE_TOKEN}` },
  });
  await once(plugin, "open");
  const { promise, resolve } = Promise.withResolvers<void>();
  let answers = 0;
  plugin.on("message", () => {
    answers += 1;
    if (answers === count) resolve();
  });
  const status = { v: 1, type: "status", outbox_messages: 0, outbox_bytes: 0, oldest_at: null, parked_messages: 0 };
  const frame = JSON.stringify({ ...status, ["x".repeat(2_000)]: 1 });
  for (let n = 0; n < count; n += 1) plugin.send(frame);
  await promise;
  plugin.terminate();
}

it("works, answers and ends where its log can't be written at all", async () => {
  const sidecar = await start("/dev/full");
  await provoke(100);
  expect(await health()).toBe(503);
  sidecar.kill("SIGTERM");
  expect(await once(sidecar, "exit")).toEqual([0, null]);
});

it("ends with the same code where it can't say why", async () => {
  const out = openSync("/dev/full", "a");
  child = spawn(process.execPath, [CLI, "serve"], { env: {}, stdio: ["ignore", out, out] });
  closeSync(out);
  expect(await once(child, "exit")).toEqual([78, null]);
});

it("drops lines while the disk is full, says how many once it can again, and writes each other one whole", async () => {
  const log = join(built.dir, "sidecar.log");
  writeFileSync(log, "\n".repeat(FILE_LIMIT_KIB * 1024 - 100));
  const sidecar = await start(log);
  await provoke(2_000);
  expect(await health()).toBe(503);
  execFileSync("prlimit", ["--pid", String(sidecar.pid), "--fsize=unlimited"]);
  const written = (): { msg?: string; dropped?: number }[] =>
    readFileSync(log, "utf8")
      .split("\n")
      // Behind the last line break is what is being written just now.
      .slice(0, -1)
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  const gap = await until("it says how many are missing", () => written().find(({ dropped }) => dropped !== undefined));
  expect(gap).toMatchObject({ level: "error", code: "EFBIG" });
  expect(gap.dropped).toBeGreaterThan(500);
  await provoke(1);
  const isRefusal = ({ msg }: { msg?: string }) => msg?.startsWith("frame refused");
  const accountedFor = () => written().filter(isRefusal).length + (gap.dropped ?? 0);
  await until("each line is there or was counted", () => accountedFor() >= 2_001);
  // A few lines of another kind may be among those that were dropped.
  expect(accountedFor()).toBeLessThan(2_010);
  sidecar.kill("SIGTERM");
  expect(await once(sidecar, "exit")).toEqual([0, null]);
  expect(written().at(-1)).toMatchObject({ msg: "sidecar stopped" });
});
