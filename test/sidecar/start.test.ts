import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import WebSocket from "ws";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import { connectPlugin } from "./scripted-plugin.ts";

let built: BuiltSidecar;
const started: SidecarProcess[] = [];

beforeEach(async () => {
  built = await BuiltSidecar.prepare();
});
afterEach(async () => {
  for (const sidecar of started.splice(0)) await sidecar.stop();
  await built.close();
});

function sidecar(changes: Record<string, string> = {}) {
  const process = new SidecarProcess({ ...built.env, ...changes });
  started.push(process);
  return process;
}

it("starts without a gateway and without Hot Bags, and ends with code 0 when it is told to", async () => {
  const one = sidecar();
  await one.start();
  expect(await one.stop()).toBe(0);
  await until("it says so", () => one.lines.some(({ msg }) => msg === "sidecar stopped"));
});

// Four megabytes of an idle sidecar (docs/performance.md): any import of node:http that is not bundled brings it back.
it("does not load the HTTP client that is in Node besides its own", async () => {
  const one = sidecar({ NODE_OPTIONS: `--import=${new URL("./says-what-is-loaded.mjs", import.meta.url)}` });
  await one.start();
  await one.stop();
  const said = one.lines.find(({ msg }) => msg === "loaded");
  expect(said?.["modules"]).toContain("NativeModule http");
  expect(said?.["modules"]).not.toContain("NativeModule internal/deps/undici/undici");
});

describe("what passes by itself is waited for", () => {
  /** Resolves when it says that it waits, for something that matches; its start with what came of it. */
  async function waiting(process: SidecarProcess, what: RegExp) {
    const started = process.start();
    started.catch(() => {});
    const line = await process.logs(({ msg }) => msg?.startsWith("not started yet: ") === true, 20_000);
    expect(line).toMatchObject({ level: "error", alarm: true, msg: expect.stringMatching(what) });
    return { started };
  }

  async function health(port: number) {
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    return { status: response.status, ...((await response.json()) as { ok: boolean; problems: string[] }) };
  }

  it("another sidecar on its state, which is left alone", async () => {
    const first = sidecar();
    await first.start();
    const port = await freePort();
    const second = sidecar({ BRIDGE_LISTEN: `127.0.0.1:${port}` });
    const { started } = await waiting(second, /in use by another sidecar.*stop the other one/);
    const problems = [expect.stringMatching(/in use by another sidecar/)];
    expect(await health(port)).toEqual({ status: 503, ok: false, problems });
    expect(await first.stop()).toBe(0);
    await started;
    expect((await health(port)).problems).not.toContainEqual(problems[0]);
  });

  it("an address that is taken", async () => {
    const other = createServer().listen(built.port, "127.0.0.1");
    await once(other, "listening");
    const { started } = await waiting(sidecar(), /EADDRINUSE.*BRIDGE_LISTEN/);
    other.close();
    await started;
  });

  it("a disk that is full, and the plugin is told to come again", async () => {
    const { port } = built;
    const process = new SidecarProcess(built.env, { fileLimitKiB: 0 });
    started.push(process);
    const { started: start } = await waiting(process, /disk of .*bridge\.(sqlite|lock).*full/);
    expect(await health(port)).toMatchObject({ status: 503, problems: [expect.stringMatching(/full/)] });
    const authorization = `Bearer ${BRIDGE_TOKEN}`;
    const early = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { authorization } });
    const [, refusal] = await once(early, "unexpected-response");
    expect(refusal.statusCode).toBe(503);
    const file = await fetch(`http://127.0.0.1:${port}/media/${"a".repeat(64)}`, { headers: { authorization } });
    expect(file.status).toBe(503);
    execFileSync("prlimit", ["--pid", String(process.pid), "--fsize=unlimited"]);
    await start;
    const plugin = await connectPlugin(port, BRIDGE_TOKEN);
    expect(await plugin.handIn(messageOf("A"))).toMatchObject({ type: "ack" });
    plugin.socket.terminate();
  });

  it("a folder for its state that is not there yet, as on a disk that is mounted later", async () => {
    const [link, later] = [join(built.dir, "link"), join(built.dir, "later")];
    symlinkSync(later, link);
    const { started } = await waiting(
      sidecar({ BRIDGE_STATE_DIR: link }),
      /link is not there.*mount its disk.*BRIDGE_STATE_DIR/,
    );
    mkdirSync(later);
    await started;
    expect(readdirSync(later)).toContain("bridge.sqlite");
  });

  it("a folder for its socket that is not there yet", async () => {
    const folder = join(built.dir, "run");
    const { started } = await waiting(
      sidecar({ BRIDGE_LISTEN: `unix:${folder}/bridge.sock` }),
      /folder .*run does not exist/,
    );
    mkdirSync(folder);
    await started;
  });

  it("and a signal to read the settings again is not lost meanwhile", async () => {
    const folder = join(built.dir, "run");
    const token = join(built.dir, "token");
    writeFileSync(token, "a-secret-bridge-token", { mode: 0o600 });
    const changes = { BRIDGE_TOKEN: "", BRIDGE_TOKEN_FILE: token, BRIDGE_LISTEN: `unix:${folder}/bridge.sock` };
    const one = sidecar(changes);
    const { started } = await waiting(one, /does not exist/);
    writeFileSync(token, "another-bridge-token");
    process.kill(one.pid ?? 0, "SIGHUP");
    const reread = one.logs(({ msg }) => msg === "the settings were read again", 20_000);
    mkdirSync(folder);
    await started;
    expect(await reread).toMatchObject({ who: "SIGHUP", changed: ["BRIDGE_TOKEN"] });
  });

  it("until it is told to stop: then it ends with code 0", async () => {
    const process = sidecar({ BRIDGE_LISTEN: `unix:${built.dir}/none/bridge.sock` });
    await waiting(process, /does not exist/);
    expect(await process.stop()).toBe(0);
  });
});

it("reads a secret from a file", async () => {
  const file = join(built.dir, "token");
  writeFileSync(file, "a-secret-bridge-token\n", { mode: 0o600 });
  const process = sidecar({ BRIDGE_TOKEN: "", BRIDGE_TOKEN_FILE: file });
  await process.start();
  (await connectPlugin(built.port, "a-secret-bridge-token")).socket.terminate();
});

describe("what only a human can change ends it with code 78", () => {
  it.each([
    [
      "a line break in a token",
      () => ({ BRIDGE_TOKEN: "a-secret-bridge-token\n" }),
      /BRIDGE_TOKEN: .*a line break.*printf/,
    ],
    [
      "a secret in a file that everybody can read",
      () => ({ BRIDGE_TOKEN: "", BRIDGE_TOKEN_FILE: join(built.dir, "file") }),
      /BRIDGE_TOKEN_FILE: every user of this machine may read or write it: chmod 600 '.*file'/,
    ],
    [
      "a state folder that is a file",
      () => ({ BRIDGE_STATE_DIR: join(built.dir, "file") }),
      /file.*EEXIST.*BRIDGE_STATE_DIR/,
    ],
    [
      "a state folder below a file",
      () => ({ BRIDGE_STATE_DIR: join(built.dir, "file", "x") }),
      /ENOTDIR.*BRIDGE_STATE_DIR/,
    ],
    [
      "a socket in place of something else",
      () => ({ BRIDGE_LISTEN: `unix:${built.dir}/file` }),
      /is no socket.*BRIDGE_LISTEN/,
    ],
  ])("%s", async (_what, changes, said) => {
    writeFileSync(join(built.dir, "file"), "", { mode: 0o644 });
    await expect(sidecar(changes()).start()).rejects.toThrow(new RegExp(`code 78.*${said.source}`));
  });
});

it("refuses a damaged database with what to do, and does not touch it", async () => {
  const first = sidecar();
  await first.start();
  await first.stop();
  writeFileSync(join(built.dir, "bridge.sqlite"), Buffer.alloc(64 * 1024, "not a database "));
  await expect(sidecar().start()).rejects.toThrow(/code 78.*damaged.*restore a backup/);
});

it("names every setting that is missing, and shows none that is there", async () => {
  const process = new SidecarProcess({ BRIDGE_TOKEN: "short", HOTBAGS_BEARER_TOKEN: "a-secret-bearer" });
  const refusal = await process.start().then(
    () => "started",
    (error: Error) => error.message,
  );
  expect(refusal).toMatch(
    /code 78.*HOTBAGS_BASE_URL: is not set.*OPENCLAW_GATEWAY_TOKEN: is not set.*BRIDGE_TOKEN: must be at least 16/,
  );
  expect(refusal).not.toMatch(/a-secret|short/);
});

// Not of the sidecar: of the tests that start it.
it.each(["SIGTERM", "SIGKILL"] as const)("ends when who started it in a test ends by %s", async (signal) => {
  const script = fileURLToPath(new URL("../shop/sidecar-owner.child.ts", import.meta.url));
  const owner = spawn(process.execPath, [script, JSON.stringify(built.env)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void owner.kill("SIGKILL"));
  const [pid] = (await once(owner.stdout, "data")).map(Number);
  const isAlive = () => {
    try {
      return process.kill(pid ?? 0, 0);
    } catch {
      return false;
    }
  };
  expect(pid).toBeGreaterThan(0);
  expect(isAlive()).toBe(true);
  owner.kill(signal);
  await until("the sidecar has ended", () => !isAlive());
});
