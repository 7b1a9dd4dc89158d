import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { freePort } from "../../../test/hotbags/port.ts";
import { until } from "../../../test/until.ts";
import type { Alert } from "./alert.ts";
import { Alerts, type AlertTiming } from "./alerts.ts";

const TOKEN = "token-in-the-address";
const ALERT: Alert = {
  id: "downtime-1",
  kind: "downtime",
  text: "Something that $(echo expanded) `must` 'be' \"seen\" to",
  details: { account: "default", from: null, to: "2026-03-03T01:24:40.000Z" },
};

let lines: { level: number; msg: string; alarm?: boolean }[];
let dir: string;
beforeEach(() => {
  lines = [];
  dir = mkdtempSync(join(tmpdir(), "hotbags-alerts-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  expect(JSON.stringify(lines)).not.toContain(TOKEN);
});

function open(to: { url?: string; command?: string }, timing: Partial<AlertTiming> = {}) {
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const ways = { webhookUrl: to.url === undefined ? null : new URL(to.url), command: to.command ?? null };
  const alerts = new Alerts(ways, log, { timeoutMs: 5_000, waitsMs: [1, 1], ...timing });
  onTestFinished(() => alerts.close());
  return alerts;
}

/** A receiver on loopback that answers what the test says, and remembers what it got. */
async function receiver(answer: (response: ServerResponse, count: number) => void) {
  const got: { request: IncomingMessage; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    got.push({ request, body: Buffer.concat(chunks).toString() });
    answer(response, got.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    return closed.then(() => {});
  });
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?t=${TOKEN}` };
}

/** Lets the test say when the time of the attempt under way is up: a real one could be up before a slow machine has begun with it. */
function stopTheClock(): () => void {
  let newest = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => {
    newest = new AbortController();
    return newest.signal;
  });
  onTestFinished(() => void vi.restoreAllMocks());
  return () => newest.abort(new DOMException("the time is up", "TimeoutError"));
}

const status = (code: number) => (response: ServerResponse) => response.writeHead(code).end();
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const warnings = () => lines.filter(({ level }) => level === 40).length;
const givenUp = () => lines.filter(({ msg }) => msg.includes("given up")).map(({ msg }) => msg);

it("is a line in the log where nothing else is set", async () => {
  expect(await open({}).raise(ALERT)).toBe(true);
  expect(lines).toEqual([
    expect.objectContaining({ level: 50, alarm: true, msg: ALERT.text, alert: "downtime", account: "default" }),
  ]);
});

it("posts its text and details as JSON, once", async () => {
  const { got, url } = await receiver(status(204));
  expect(await open({ url }).raise(ALERT)).toBe(true);
  expect(got).toHaveLength(1);
  expect(got[0]?.request).toMatchObject({ method: "POST", url: `/hook?t=${TOKEN}` });
  expect(got[0]?.request.headers["content-type"]).toBe("application/json");
  expect(JSON.parse(got[0]?.body ?? "")).toEqual({
    text: ALERT.text,
    alert: "downtime",
    id: ALERT.id,
    ...ALERT.details,
  });
});

it("tries again when the receiver is in trouble", async () => {
  const { got, url } = await receiver((response, count) => status(count < 3 ? 503 : 200)(response));
  expect(await open({ url }).raise(ALERT)).toBe(true);
  expect([got.length, warnings(), givenUp()]).toEqual([3, 2, []]);
});

it.each([400, 401, 404])("does not try again what is answered with %i", async (code) => {
  const { got, url } = await receiver(status(code));
  expect(await open({ url }).raise(ALERT)).toBe(true);
  expect(got).toHaveLength(1);
  expect(givenUp()).toEqual([expect.stringContaining(String(code))]);
});

it("follows no redirect", async () => {
  const elsewhere = await receiver(status(200));
  const { got, url } = await receiver((response) => response.writeHead(307, { location: elsewhere.url }).end());
  await open({ url }).raise(ALERT);
  expect([got.length, elsewhere.got.length]).toEqual([1, 0]);
  expect(givenUp()).toHaveLength(1);
});

it("gives up on a receiver that never answers, or that is not there", async () => {
  const timeIsUp = stopTheClock();
  const { got, url } = await receiver(() => timeIsUp());
  expect(await open({ url }).raise(ALERT)).toBe(true);
  expect(got).toHaveLength(3);
  expect(await open({ url: `http://127.0.0.1:${await freePort()}/?${TOKEN}` }).raise(ALERT)).toBe(true);
  expect(givenUp()).toEqual([expect.stringContaining("no answer in time"), expect.stringContaining("ECONNREFUSED")]);
});

it("gives the command the text on standard input, and none of the sidecar's secrets", async () => {
  vi.stubEnv("HOTBAGS_BEARER_TOKEN", "a secret");
  onTestFinished(() => void vi.unstubAllEnvs());
  const [text, env] = [join(dir, "text"), join(dir, "env")];
  expect(await open({ command: `cat > ${text}; env > ${env} # ${TOKEN}` }).raise(ALERT)).toBe(true);
  expect(readFileSync(text, "utf8")).toBe(`${ALERT.text}\n`);
  const names = readFileSync(env, "utf8")
    .split("\n")
    .map((line) => line.split("=")[0]);
  expect(names).toContain("PATH");
  expect(names.filter((name) => /HOTBAGS|TOKEN|BRIDGE|OPENCLAW|ALERT/.test(name ?? ""))).toEqual([]);
});

it("runs a command again that fails, and then gives up", async () => {
  const count = join(dir, "count");
  expect(await open({ command: `echo x >> ${count}; exit 3` }).raise(ALERT)).toBe(true);
  expect(readFileSync(count, "utf8")).toBe("x\nx\nx\n");
  expect(givenUp()).toEqual([expect.stringContaining("code 3")]);
});

it("takes a command that does not read its input", async () => {
  const long = { ...ALERT, text: "x".repeat(1_000_000) };
  expect(await open({ command: "exec true" }).raise(long)).toBe(true);
  expect(givenUp()).toEqual([]);
});

it("kills a command that takes too long, with what it has started", async () => {
  const pid = join(dir, "pid");
  const timeIsUp = stopTheClock();
  const alerts = open({ command: `sleep 600 & echo $! > ${pid}; wait` }, { waitsMs: [] });
  const raising = alerts.raise(ALERT);
  const pidIn = (file: string) => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
  const started = await until("it has started something", () => pidIn(pid));
  timeIsUp();
  expect(await raising).toBe(true);
  expect(givenUp()).toEqual([expect.stringContaining("too long")]);
  await until("that is dead", () => !isAlive(started));
});

it("tries again where the process is out of file descriptors, and goes on", async () => {
  const text = join(dir, "text");
  const fixture = fileURLToPath(new URL("./short-of-descriptors.fixture.mjs", import.meta.url));
  const limited = ["-c", 'ulimit -n 64; exec "$@"', "bash", process.execPath, fixture, `cat > ${text}`];
  // Nothing of ours: with NODE_EXTRA_CA_CERTS Node opens a file of its own in the middle of it, and complains.
  const env = { PATH: process.env["PATH"] };
  const child = spawn("bash", limited, { env, stdio: ["ignore", "inherit", "pipe", "ipc"] });
  const said: unknown[] = [];
  child.on("message", (message) => said.push(message));
  const complaint = child.stderr?.toArray();
  const [code] = await once(child, "close");
  expect((await complaint)?.join("")).toBe("");
  expect(code).toBe(0);
  expect(said).toEqual(["look", "alert not delivered: EMFILE", "alert delivered", "delivered: true"]);
  expect(readFileSync(text, "utf8")).toBe("look\n");
});

it("ends an attempt that it is not allowed to kill", async () => {
  // A command may become another user's, as a set-user-id mailer does: then the kill is refused.
  const kill = vi.spyOn(process, "kill").mockImplementation(() => {
    throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
  });
  onTestFinished(() => kill.mockRestore());
  const alerts = open({ command: "exec sleep 2" }, { timeoutMs: 200, waitsMs: [] });
  expect(await alerts.raise(ALERT)).toBe(true);
  expect(givenUp()).toEqual([expect.stringContaining("too long")]);
});

it("delivers by the one way when the other is broken", async () => {
  const { got, url } = await receiver(status(200));
  expect(await open({ url, command: "exit 1" }).raise(ALERT)).toBe(true);
  expect(got).toHaveLength(1);
  expect(givenUp()).toEqual([expect.stringContaining("code 1")]);
});

it("says that it was not delivered when the sidecar stops in the middle", async () => {
  const { got, url } = await receiver(status(503));
  const alerts = open({ url }, { waitsMs: [600_000] });
  const raising = alerts.raise(ALERT);
  await until("it waits for the next attempt", () => warnings() === 1);
  await alerts.close();
  expect(await raising).toBe(false);
  expect([got.length, givenUp()]).toEqual([1, []]);
});
