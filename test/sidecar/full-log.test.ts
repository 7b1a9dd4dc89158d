import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { takeCareOf } from "../openclaw/caretaker.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";

// The sidecar whose standard output is a file on a disk that is full: no file of it may grow beyond a limit, which can be lifted while it runs.

const CLI = fileURLToPath(new URL("../../sidecar/dist/cli.js", import.meta.url));
/** More than the database and its log grow to here. */
const FILE_LIMIT_KIB = 32 * 1_024;
/** What the log has room for, bytes. */
const ROOM = 100;

let hotbags: HotBags;
let built: BuiltSidecar;
let child: ChildProcess | undefined;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  // Nothing but what is provoked is in the log.
  hotbags.faultFor(() => true, "hang", Number.POSITIVE_INFINITY);
  built = await BuiltSidecar.prepare({ hotbags });
});
afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await built.close();
  await hotbags.close();
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

let provoked = 0;

/** Makes the sidecar write so many lines of almost half a kilobyte: it takes a message in for each. */
async function provoke(count: number): Promise<void> {
  const plugin = await built.connect();
  const { promise, resolve } = Promise.withResolvers<void>();
  let answers = 0;
  plugin.socket.on("message", () => {
    answers += 1;
    if (answers === count) resolve();
  });
  for (let ref = 0; ref < count; ref += 1) {
    provoked += 1;
    const message = messageOf(String(provoked).padStart(256, "0"));
    plugin.socket.send(JSON.stringify({ v: 1, type: "message", ref, message }));
  }
  await promise;
  plugin.socket.terminate();
}

/** Stops it, with no POST to wait for. */
async function end(sidecar: ChildProcess): Promise<void> {
  await hotbags.stop();
  sidecar.kill("SIGTERM");
  expect(await once(sidecar, "exit")).toEqual([0, null]);
}

it("works, answers and ends where its log can't be written at all", async () => {
  const sidecar = await start("/dev/full");
  await provoke(100);
  expect(await health()).toBe(503);
  await end(sidecar);
});

it("ends with the same code where it can't say why", async () => {
  const out = openSync("/dev/full", "a");
  child = spawn(process.execPath, [CLI, "serve"], { env: {}, stdio: ["ignore", out, out] });
  closeSync(out);
  expect(await once(child, "exit")).toEqual([78, null]);
});

it("drops lines while the disk is full, says how many once it can again, and writes each other one whole", async () => {
  const log = join(built.dir, "sidecar.log");
  const full = FILE_LIMIT_KIB * 1024 - ROOM;
  writeFileSync(log, "");
  truncateSync(log, full);
  const sidecar = await start(log);
  await provoke(4_000);
  expect(await health()).toBe(503);
  execFileSync("prlimit", ["--pid", String(sidecar.pid), "--fsize=unlimited"]);
  const written = (): { msg?: string; dropped?: number }[] =>
    readFileSync(log)
      .subarray(full)
      .toString()
      .split("\n")
      // Behind the last line break is what is being written just now.
      .slice(0, -1)
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  const gap = await until("it says how many are missing", () => written().find(({ dropped }) => dropped !== undefined));
  expect(gap).toMatchObject({ level: "error", code: "EFBIG" });
  expect(gap.dropped).toBeGreaterThan(500);
  await provoke(1);
  const isProvoked = ({ msg }: { msg?: string }) => msg === "message accepted";
  const accountedFor = () => written().filter(isProvoked).length + (gap.dropped ?? 0);
  await until("each line is there or was counted", () => accountedFor() >= 4_001);
  // A few lines of another kind may be among those that were dropped.
  expect(accountedFor()).toBeLessThan(4_010);
  await end(sidecar);
  expect(written().at(-1)).toMatchObject({ msg: "sidecar stopped" });
});
