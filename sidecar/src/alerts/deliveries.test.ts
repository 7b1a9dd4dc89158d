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
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { until } from "../../../test/until.ts";
import { openChannels } from "./channels.ts";
import { Deliveries, MAX_WAITING } from "./deliveries.ts";
import type { Notice } from "./notice.ts";

const TOKEN = "token-in-the-address";
const NOTICE: Notice = {
  ...{ id: "downtime-1", kind: "downtime", state: "happened", severity: "critical", title: "Messages may be missing" },
  text: "Something that $(echo expanded) `must` 'be' \"seen\" to",
  since: "2026-03-03T01:24:40.000Z",
  details: { account: "default", from: null, to: "2026-03-03T01:24:40.000Z" },
};
const MINUTE_MS = 60_000;

let lines: { level: number; msg: string; alarm?: boolean }[];
let done: number[];
let clock: SimulatedClock;
let dir: string;
beforeEach(() => {
  lines = [];
  done = [];
  clock = new SimulatedClock();
  dir = mkdtempSync(join(tmpdir(), "hotbags-alerts-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
  expect(JSON.stringify(lines)).not.toContain(TOKEN);
});

/** Deliveries by the one channel that is set, on a clock that stands still. */
function open(to: { url?: string; command?: string }) {
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const webhookUrl = to.url === undefined ? null : new URL(to.url);
  const [channel] = openChannels({ webhookUrl, webhookFormat: null, command: to.command ?? null });
  if (!channel) throw new Error("there is no channel");
  const parts = { channel, clock, timers: clock, log, provenNow: () => clock.now(), random: () => 1 };
  const deliveries = new Deliveries(parts);
  onTestFinished(() => deliveries.close());
  let told = 0;
  return {
    deliveries,
    tell(text = NOTICE.text) {
      const number = ++told;
      deliveries.add({ notice: { ...NOTICE, text }, toldAt: clock.now(), done: () => void done.push(number) });
    },
  };
}

/** A receiver on loopback that answers what the test says, and remembers what it got. */
async function receiver(answer: (response: ServerResponse, body: string, count: number) => void) {
  const got: { request: IncomingMessage; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    got.push({ request, body });
    answer(response, body, got.length);
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

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(code, headers).end();
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const notDelivered = () => lines.filter(({ msg }) => msg.startsWith("alert not delivered"));
const said = (count: number) => until(`it has failed ${count} times`, () => notDelivered().length === count);
const allDone = (count: number) => until(`${count} are done with`, () => done.length === count);

it("posts its text and details as JSON, once", async () => {
  const { got, url } = await receiver(status(204));
  open({ url }).tell();
  await allDone(1);
  expect(got).toHaveLength(1);
  expect(got[0]?.request).toMatchObject({ method: "POST", url: `/hook?t=${TOKEN}` });
  expect(got[0]?.request.headers["content-type"]).toBe("application/json");
  const { details, kind, ...rest } = NOTICE;
  expect(JSON.parse(got[0]?.body ?? "")).toEqual({ ...rest, alert: kind, ...details });
});

it("tries again, and keeps the order, while the receiver is in trouble; then it is broken, until it works", async () => {
  const { got, url } = await receiver((response, _body, count) => status(count <= 5 ? 503 : 200)(response));
  const { deliveries, tell } = open({ url });
  tell("first");
  tell("second");
  for (let failures = 1; failures <= 5; failures += 1) {
    await said(failures);
    const { problem } = deliveries.status;
    expect(problem).toBe(failures < 5 ? null : "the answer was 503");
    clock.advance(5 * MINUTE_MS);
  }
  await allDone(2);
  expect(got.slice(5).map(({ body }) => JSON.parse(body).text)).toEqual(["first", "second"]);
  expect(deliveries.status).toMatchObject({ waiting: 0, problem: null });
});

it("waits for as long as the receiver asks for", async () => {
  const { got, url } = await receiver((response, _body, count) =>
    status(count === 1 ? 429 : 200, { "retry-after": "30.5" })(response),
  );
  open({ url }).tell();
  await said(1);
  clock.advance(30_000);
  expect(notDelivered()).toEqual([expect.objectContaining({ next_attempt_ms: 30_500 })]);
  clock.advance(500);
  await allDone(1);
  expect(got).toHaveLength(2);
});

it.each([
  [400, "it does not take the format json; set ALERT_WEBHOOK_FORMAT"],
  [404, "make a new one, and set ALERT_WEBHOOK_URL to it"],
  [307, "redirects are not followed"],
])(
  "makes an alarm of a refusal with %i that says what to do, lets what follows pass, and asks again",
  async (code, advice) => {
    const elsewhere = await receiver(status(200));
    let isMended = false;
    const { got, url } = await receiver((response, body) =>
      status(isMended || body.includes("second") ? 200 : code, { location: elsewhere.url })(response),
    );
    const { deliveries, tell } = open({ url });
    tell("first");
    await said(1);
    expect(deliveries.status.problem).toContain(String(code));
    expect(notDelivered()).toEqual([expect.objectContaining({ alarm: true, msg: expect.stringContaining(advice) })]);
    tell("second");
    await allDone(1);
    isMended = true;
    clock.advance(15 * MINUTE_MS);
    await allDone(2);
    expect(done).toEqual([2, 1]);
    expect([got.length, elsewhere.got.length]).toEqual([3, 0]);
  },
);

it("gives up what is a day old", async () => {
  const url = `http://127.0.0.1:${await freePort()}/?${TOKEN}`;
  open({ url }).tell();
  await said(1);
  clock.advance(25 * 60 * MINUTE_MS);
  await allDone(1);
  expect(notDelivered().at(-1)).toMatchObject({ alarm: true, msg: expect.stringMatching(/ECONNREFUSED; given up/) });
});

it("lets the oldest make room where too many wait", async () => {
  const { url } = await receiver(status(503));
  const { deliveries, tell } = open({ url });
  for (let n = 0; n < MAX_WAITING + 2; n += 1) tell();
  expect(deliveries.status.waiting).toBe(MAX_WAITING);
  expect(done).toEqual([1, 2]);
});

it("ends an attempt that gets no answer", async () => {
  const timeIsUp = stopTheClock();
  const { url } = await receiver(() => timeIsUp());
  open({ url }).tell();
  await said(1);
  expect(notDelivered()).toEqual([expect.objectContaining({ msg: "alert not delivered: no answer in time" })]);
});

it("gives the command the text on standard input, what it is about in its environment, and none of the secrets", async () => {
  vi.stubEnv("HOTBAGS_BEARER_TOKEN", "a secret");
  vi.stubEnv("ALERT_WEBHOOK_URL", "a secret");
  onTestFinished(() => void vi.unstubAllEnvs());
  const [text, env] = [join(dir, "text"), join(dir, "env")];
  open({ command: `cat > ${text}; env > ${env} # ${TOKEN}` }).tell();
  await allDone(1);
  expect(readFileSync(text, "utf8")).toBe(`${NOTICE.text}\n`);
  const given = readFileSync(env, "utf8").split("\n");
  const about = given.filter((line) => line.startsWith("ALERT_")).toSorted();
  expect(about).toEqual([
    "ALERT_KIND=downtime",
    "ALERT_SEVERITY=critical",
    "ALERT_STATE=happened",
    "ALERT_TITLE=Messages may be missing",
  ]);
  expect(given.some((line) => line.startsWith("PATH="))).toBe(true);
  expect(given.filter((line) => /HOTBAGS|TOKEN|BRIDGE|OPENCLAW|secret/.test(line))).toEqual([]);
});

it("runs a command again that fails", async () => {
  const count = join(dir, "count");
  open({ command: `echo x >> ${count}; test $(wc -l < ${count}) -eq 2` }).tell();
  await said(1);
  expect(notDelivered()).toEqual([expect.objectContaining({ msg: "alert not delivered: it ended with code 1" })]);
  clock.advance(MINUTE_MS);
  await allDone(1);
});

it("takes a command that does not read its input", async () => {
  open({ command: "exec true" }).tell("x".repeat(1_000_000));
  await allDone(1);
  expect(notDelivered()).toEqual([]);
});

it("kills a command that takes too long, with what it has started", async () => {
  const pid = join(dir, "pid");
  const timeIsUp = stopTheClock();
  open({ command: `sleep 600 & echo $! > ${pid}; wait` }).tell();
  const pidIn = (file: string) => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0);
  const started = await until("it has started something", () => pidIn(pid));
  timeIsUp();
  await said(1);
  expect(notDelivered()).toEqual([expect.objectContaining({ msg: expect.stringContaining("too long") })]);
  await until("that is dead", () => !isAlive(started));
});

it("tries again where the process is out of file descriptors, and goes on", async () => {
  const text = join(dir, "text");
  const fixture = fileURLToPath(new URL("./short-of-descriptors.fixture.mjs", import.meta.url));
  const limited = ["-c", 'ulimit -n 64; exec "$@"', "bash", process.execPath, fixture, `cat > ${text}`];
  // Nothing of ours: with NODE_EXTRA_CA_CERTS Node opens a file of its own in the middle of it, and complains.
  const env = { PATH: process.env["PATH"] };
  const child = spawn("bash", limited, { env, stdio: ["ignore", "inherit", "pipe", "ipc"] });
  const heard: unknown[] = [];
  child.on("message", (message) => heard.push(message));
  const complaint = child.stderr?.toArray();
  const [code] = await once(child, "close");
  expect((await complaint)?.join("")).toBe("");
  expect(code).toBe(0);
  expect(heard).toEqual(["alert not delivered: EMFILE", "alert delivered"]);
  expect(readFileSync(text, "utf8")).toBe("look\n");
});

it("ends an attempt that it is not allowed to kill", async () => {
  // A command may become another user's, as a set-user-id mailer does: then the kill is refused.
  const kill = vi.spyOn(process, "kill").mockImplementation(() => {
    throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
  });
  const timeIsUp = stopTheClock();
  onTestFinished(() => kill.mockRestore());
  const begun = join(dir, "begun");
  open({ command: `echo > ${begun}; exec sleep 2` }).tell();
  await until("it runs", () => existsSync(begun));
  timeIsUp();
  await said(1);
  expect(notDelivered()).toEqual([expect.objectContaining({ msg: expect.stringContaining("can't be killed") })]);
});

it("leaves what is not delivered to the next start", async () => {
  const { got, url } = await receiver(status(503));
  const { deliveries, tell } = open({ url });
  tell();
  await said(1);
  await deliveries.close();
  expect([got.length, done]).toEqual([1, []]);
});
