import { createHash } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_FRAME_BYTES, MAX_FRAME_READ_BYTES, type SidecarFrame } from "@hotbags/shared";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { until } from "../../../test/until.ts";
import { systemClock } from "../clock.ts";
import type { ListenAddress } from "../listening/listen-address.ts";
import { ListenError, listenError } from "../listening/listen-error.ts";
import { openLog } from "../log.ts";
import { type Accepted, openStore, type Store } from "../store/index.ts";
import { Listener, MAX_PLUGIN_CONNECTIONS } from "./listener.ts";
import type { Exposition } from "./pages.ts";
import { pagesListener } from "./pages-listener.ts";

const TOKEN = "0123456789abcdef-bridge";
const HELLO = { v: 1, type: "hello", plugin_version: "0.1.0", openclaw_version: "2026.9.6" };
const message = (id: string, text = "hello") => ({
  account_id: "default",
  message_id: id,
  chat_id: "+15550001000",
  from: "+15550001000",
  text,
  media: [],
  timestamp: "2026-03-01T12:00:00.000Z",
  raw: {},
});

let dir: string;
let store: Store;
let listener: Listener;
let address: string;
let accepted: Accepted[];
let lines: Record<string, unknown>[];
const clients: WebSocket[] = [];

/** A log whose lines are in `lines`. */
const logged = () => openLog("info", { write: (line) => void lines.push(JSON.parse(line)) });

async function listen(where: ListenAddress) {
  const log = logged();
  listener = new Listener({
    address: where,
    token: TOKEN,
    log,
    health: async () => ({ ok: listener.plugin !== null }),
  });
  address = await listener.start();
  listener.open({ store, onAccepted: (taken) => void accepted.push(taken), onSent: () => {} });
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-intake-"));
  store = openStore(dir, systemClock);
  accepted = [];
  lines = [];
  await listen({ host: "127.0.0.1", port: 0 });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await listener.stop();
  store.close();
  rmSync(dir, { recursive: true });
});

/** A plugin's side of the wire, spoken by hand. */
async function connect(
  headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` },
  url = `ws://${address}`,
) {
  const socket = new WebSocket(url, { headers });
  clients.push(socket);
  const frames: SidecarFrame[] = [];
  const waiting: ((frame: SidecarFrame) => void)[] = [];
  socket.on("message", (data) => {
    const frame = JSON.parse(String(data));
    const next = waiting.shift();
    if (next) next(frame);
    else frames.push(frame);
  });
  await once(socket, "open");
  return {
    socket,
    send: (frame: unknown) =>
      socket.send(typeof frame === "string" || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame)),
    next: () => {
      const frame = frames.shift();
      return frame ? Promise.resolve(frame) : new Promise<SidecarFrame>((resolve) => void waiting.push(resolve));
    },
  };
}

async function refusalOf(headers: Record<string, string>): Promise<number | undefined> {
  const socket = new WebSocket(`ws://${address}`, { headers });
  const [, response] = await once(socket, "unexpected-response");
  socket.on("error", () => {});
  socket.terminate();
  return response.statusCode;
}

describe("authentication", () => {
  it.each([
    ["no token", {}, 401],
    ["a wrong token", { authorization: "Bearer nope" }, 401],
    ["the token without Bearer", { authorization: TOKEN }, 401],
    ["a browser page, even with the token", { authorization: `Bearer ${TOKEN}`, origin: "http://127.0.0.1" }, 403],
  ])("is closed to %s, and says so in the log", async (_who, headers: Record<string, string>, status) => {
    expect(await refusalOf(headers)).toBe(status);
    expect(lines).toContainEqual(expect.objectContaining({ level: "warn", status }));
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
  });

  it("lets in no more than its limit, and again when there is room", async () => {
    const crowd = await Promise.all(Array.from({ length: MAX_PLUGIN_CONNECTIONS }, () => connect()));
    expect(await refusalOf({ authorization: `Bearer ${TOKEN}` })).toBe(503);
    const [first] = crowd;
    first?.socket.close();
    await once(first?.socket as WebSocket, "close");
    // The listener learns a moment after the client that it is gone.
    const again = await until("there is room", () => connect().catch(() => undefined));
    again.send(HELLO);
    expect(await again.next()).toMatchObject({ type: "welcome" });
  });
});

describe("a plugin's connection", () => {
  it("welcomes, then acks what is on disk", async () => {
    const plugin = await connect();
    plugin.send(HELLO);
    expect(await plugin.next()).toMatchObject({ v: 1, type: "welcome", max_frame_bytes: MAX_FRAME_BYTES });
    plugin.send({ v: 1, type: "message", ref: 7, message: message("A") });
    expect(await plugin.next()).toEqual({ v: 1, type: "ack", ref: 7, duplicate: false });
    expect((await store.counters()).accepted).toBe(1);
    expect(accepted).toHaveLength(1);
    plugin.send({ v: 1, type: "message", ref: 8, message: message("A") });
    expect(await plugin.next()).toEqual({ v: 1, type: "ack", ref: 8, duplicate: true });
    expect(accepted).toHaveLength(1);
  });

  it.each([
    ["an earlier", { plugin_version: "0.0.1", openclaw_version: "2026.1.1" }],
    ["a later", { plugin_version: "9.9.9", openclaw_version: "2030.1.1", features: ["more"] }],
  ])("takes the messages of a plugin of %s release", async (_release, greeting) => {
    const plugin = await connect();
    plugin.send({ ...HELLO, ...greeting });
    expect(await plugin.next()).toMatchObject({ type: "welcome" });
    plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "ack", ref: 1 });
  });

  it.each([
    ["not JSON", "{", "bad_json", null],
    ["binary", Buffer.from("{}"), "bad_frame", null],
    ["an unknown type", { v: 1, type: "dance" }, "bad_frame", null],
    [
      "a message that breaks the schema",
      { v: 1, type: "message", ref: 3, message: { ...message("X"), chat_id: "123@lid" } },
      "bad_message",
      3,
    ],
    [
      "a message that is too large",
      { v: 1, type: "message", ref: 4, message: message("X", "x".repeat(MAX_FRAME_BYTES)) },
      "too_large",
      4,
    ],
    [
      "a message that is nested 2,000 levels deep",
      `{"v":1,"type":"message","ref":5,"message":${JSON.stringify(message("X")).replace("{}", `{"a":${"[".repeat(2_000)}${"]".repeat(2_000)}}`)}}`,
      "bad_message",
      5,
    ],
    ["nested half a million levels deep", `${"[".repeat(500_000)}${"]".repeat(500_000)}`, "bad_frame", null],
  ])("refuses a frame that is %s, and takes the next one", async (_what, frame, code, ref) => {
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    plugin.send(frame);
    expect(await plugin.next()).toMatchObject({ type: "refused", code, ref, retry: false });
    plugin.send({ v: 1, type: "message", ref: 9, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "ack", ref: 9 });
    expect(lines).toContainEqual(expect.objectContaining({ level: "warn", code }));
  });

  it("ends a connection of another wire version with the reason, and no other one", async () => {
    const other = await connect();
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    other.send({ ...HELLO, v: 2 });
    expect(await other.next()).toMatchObject({
      type: "refused",
      code: "bad_version",
      reason: expect.stringContaining("of one release"),
    });
    await once(other.socket, "close");
    plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "ack" });
  });

  it("ends a connection that sends more than anybody may, and no other one", async () => {
    const flood = await connect();
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    flood.send("x".repeat(MAX_FRAME_READ_BYTES + 1));
    const [code] = await once(flood.socket, "close");
    expect(code).toBe(1009);
    plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "ack" });
  });

  it("takes no message before the hello, and says that it may come again", async () => {
    const plugin = await connect();
    plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "refused", code: "no_hello", ref: 1, retry: true });
    expect((await store.counters()).accepted).toBe(0);
  });

  it("does not ack what can't be written, and says that it may come again", async () => {
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    store.close();
    plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
    expect(await plugin.next()).toMatchObject({ type: "refused", code: "not_stored", ref: 1, retry: true });
    store = openStore(dir, systemClock);
  });

  describe("with a message whose file is not here", () => {
    const sha256 = createHash("sha256").update("the file").digest("hex");
    const picture = { type: "image", mime_type: "image/png", file_name: null, size_bytes: 8, sha256 };
    const withFile = (id: string) => ({ ...message(id), media: [picture] });
    const putFile = () =>
      fetch(`http://${address}/media/${sha256}`, {
        method: "PATCH",
        headers: { authorization: `Bearer ${TOKEN}`, "upload-offset": "0", "upload-length": "8" },
        body: "the file",
      });

    it("refuses it until the file is here, and lets nothing of its chat overtake it, also what came in the same turn", async () => {
      const plugin = await connect();
      plugin.send(HELLO);
      await plugin.next();
      plugin.send({ v: 1, type: "message", ref: 1, message: withFile("A") });
      plugin.send({ v: 1, type: "message", ref: 2, message: message("B") });
      plugin.send({ v: 1, type: "message", ref: 3, message: { ...message("C"), chat_id: "+15550002000" } });
      const answers = [await plugin.next(), await plugin.next(), await plugin.next()];
      expect(answers).toContainEqual(expect.objectContaining({ ref: 1, code: "no_file", retry: true }));
      expect(answers).toContainEqual(expect.objectContaining({ ref: 2, code: "not_stored", retry: true }));
      expect(answers).toContainEqual(expect.objectContaining({ ref: 3, type: "ack" }));
      plugin.send({ v: 1, type: "message", ref: 4, message: withFile("A") });
      expect(await plugin.next()).toMatchObject({ ref: 4, code: "no_file" });
      expect((await putFile()).status).toBe(204);
      plugin.send({ v: 1, type: "message", ref: 5, message: withFile("A") });
      plugin.send({ v: 1, type: "message", ref: 6, message: message("B") });
      expect(await plugin.next()).toMatchObject({ ref: 5, type: "ack", duplicate: false });
      expect(await plugin.next()).toMatchObject({ ref: 6, type: "ack", duplicate: false });
      expect(accepted.map(({ chat }) => chat)).toEqual([1, 2, 2]);
    });

    it("waits for the message before it first, where that could not be stored", async () => {
      const plugin = await connect();
      plugin.send(HELLO);
      await plugin.next();
      const tables = new Database(join(dir, "bridge.sqlite"));
      tables.exec(
        "CREATE TRIGGER no BEFORE INSERT ON messages WHEN NEW.message_id = 'A' BEGIN SELECT RAISE(ABORT, 'no'); END",
      );
      plugin.send({ v: 1, type: "message", ref: 1, message: message("A") });
      plugin.send({ v: 1, type: "message", ref: 2, message: withFile("B") });
      const codes = [await plugin.next(), await plugin.next()].map((frame) => ("code" in frame ? frame.code : "none"));
      expect(codes).toEqual(["not_stored", "not_stored"]);
      tables.exec("DROP TRIGGER no");
      tables.close();
      expect((await putFile()).status).toBe(204);
      plugin.send({ v: 1, type: "message", ref: 3, message: withFile("B") });
      expect(await plugin.next()).toMatchObject({ ref: 3, code: "not_stored" });
      plugin.send({ v: 1, type: "message", ref: 4, message: message("A") });
      plugin.send({ v: 1, type: "message", ref: 5, message: withFile("B") });
      expect([await plugin.next(), await plugin.next()]).toMatchObject([
        { ref: 4, type: "ack" },
        { ref: 5, type: "ack" },
      ]);
    });

    it("takes it without the file when it comes again without its promise, and then the next one", async () => {
      const plugin = await connect();
      plugin.send(HELLO);
      await plugin.next();
      plugin.send({ v: 1, type: "message", ref: 1, message: withFile("A") });
      expect(await plugin.next()).toMatchObject({ ref: 1, code: "no_file" });
      const media = [{ ...picture, omitted: "no room for it" }];
      plugin.send({ v: 1, type: "message", ref: 2, message: { ...message("A"), media } });
      expect(await plugin.next()).toMatchObject({ ref: 2, type: "ack" });
      plugin.send({ v: 1, type: "message", ref: 3, message: message("B") });
      expect(await plugin.next()).toMatchObject({ ref: 3, type: "ack" });
    });
  });

  it("takes thousands of messages from a peer that ignores its credit, and acks each", async () => {
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    for (let ref = 0; ref < 3_000; ref++) plugin.send({ v: 1, type: "message", ref, message: message(`M${ref}`) });
    const refs = new Set<unknown>();
    for (let n = 0; n < 3_000; n++) {
      const frame = await plugin.next();
      if (frame.type === "ack") refs.add(frame.ref);
    }
    expect(refs.size).toBe(3_000);
    expect((await store.counters()).accepted).toBe(3_000);
  });
});

describe("the address", () => {
  function another(where: ListenAddress) {
    return new Listener({ address: where, token: TOKEN, log: openLog("error"), health: async () => ({ ok: true }) });
  }
  /** A path of so many bytes below the test's folder. */
  const pathOf = (bytes: number) => join(dir, "é".repeat(3)).padEnd(bytes - 3, "x");

  it("can be a unix socket, also where a crash has left its file", async () => {
    await listener.stop();
    const path = join(dir, "bridge.sock");
    await listen({ path });
    const plugin = await connect(undefined, `ws+unix:${path}:/`);
    plugin.send(HELLO);
    expect(await plugin.next()).toMatchObject({ type: "welcome" });
    await expect(another({ path }).start()).rejects.toThrow(/EADDRINUSE.*another sidecar/);
    expect(existsSync(path)).toBe(true);
  });

  it("that is taken is refused with what to do", async () => {
    const port = Number(address.split(":")[1]);
    await expect(another({ host: "127.0.0.1", port }).start()).rejects.toThrow(
      /EADDRINUSE.*another sidecar.*BRIDGE_LISTEN/,
    );
  });

  it("can be a unix socket of 107 bytes, and no longer one", async () => {
    await listener.stop();
    const path = pathOf(107);
    expect(Buffer.byteLength(path)).toBe(107);
    await listen({ path });
    for (const bytes of [108, 109, 200])
      await expect(another({ path: pathOf(bytes) }).start()).rejects.toThrow(new RegExp(`${bytes} bytes.*at most 107`));
  });

  it.each([
    ["whose folder is not there", () => join(dir, "none", "x.sock"), /folder.*does not exist.*BRIDGE_LISTEN/],
    ["below a file", () => join(dir, "bridge.sqlite", "x.sock"), /ENOTDIR.*BRIDGE_LISTEN/],
    ["in a folder that can't be written", () => "/proc/x.sock", /this user may not write in \/proc.*BRIDGE_LISTEN/],
  ])("is refused with the right advice where it is a unix socket %s", async (_where, path, advice) => {
    const refusal = another({ path: path() }).start();
    await expect(refusal).rejects.toThrow(ListenError);
    await expect(refusal).rejects.toThrow(advice);
    await expect(refusal).rejects.not.toThrow(/another sidecar/);
  });

  it("never takes what is not a socket for an old socket", async () => {
    const file = join(dir, "a letter");
    writeFileSync(file, "dear");
    for (const path of [file, dir]) {
      const refusal = another({ path }).start();
      await expect(refusal).rejects.toThrow(ListenError);
      await expect(refusal).rejects.toThrow(/is no socket.*BRIDGE_LISTEN/);
    }
    expect(readFileSync(file, "utf8")).toBe("dear");
  });

  it.each([
    [{ host: "127.0.0.1", port: 80 }, "EACCES", /port 80 .*below 1024/],
    [{ host: "::1", port: 5_000 }, "EADDRNOTAVAIL", /\[::1\]:5000.*no such address/],
    [{ host: "::1", port: 5_000 }, "EAFNOSUPPORT", /\[::1\]:5000.*no such address/],
  ])("is explained: %o with %s", (where, code, advice) => {
    expect(listenError(where, Object.assign(new Error("listen"), { code })).message).toMatch(advice);
  });
});

it("outlives an error of its server", async () => {
  const { promise, resolve } = Promise.withResolvers<Server>();
  const hear = (message: unknown) => resolve((message as { server: Server }).server);
  subscribe("http.server.request.start", hear);
  await fetch(`http://${address}/health`);
  unsubscribe("http.server.request.start", hear);
  (await promise).emit("error", Object.assign(new Error("accept ENOBUFS"), { code: "ENOBUFS" }));
  expect(lines).toContainEqual(
    expect.objectContaining({ level: "error", err: expect.objectContaining({ code: "ENOBUFS" }) }),
  );
  expect((await fetch(`http://${address}/health`)).status).toBe(503);
});

describe("GET /metrics", () => {
  async function answered(metrics: () => Promise<Exposition | null>, method = "GET") {
    const where = { host: "127.0.0.1", port: 0 };
    const health = async () => ({ ok: true });
    const other = new Listener({ address: where, token: TOKEN, log: logged(), health, metrics });
    const response = await fetch(`http://${await other.start()}/metrics`, { method });
    const answer = { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
    await other.stop();
    return answer;
  }

  it("is what the sidecar counts, for whoever asks", async () => {
    const exposition = { contentType: "text/plain; version=0.0.4", text: "up 1\n" };
    expect(await answered(async () => exposition)).toEqual({
      status: 200,
      type: exposition.contentType,
      text: "up 1\n",
    });
  });

  it("is 503 before there is anything to count", async () => {
    expect(await answered(async () => null)).toMatchObject({ status: 503, text: expect.stringMatching(/starting/) });
  });

  it("is 500 where the state can't be read, which is in the log", async () => {
    const damaged = async () => Promise.reject(Object.assign(new Error("malformed"), { code: "SQLITE_CORRUPT" }));
    expect(await answered(damaged)).toMatchObject({ status: 500 });
    expect(lines).toContainEqual(expect.objectContaining({ level: "error", msg: "/metrics can't be answered" }));
  });

  it("is only read", async () => {
    expect(await answered(async () => null, "POST")).toMatchObject({ status: 405 });
  });
});

describe("metrics at an address of their own", () => {
  const parts = (port: number) => ({
    ...{ address: { host: "127.0.0.1", port }, log: logged(), retryMs: 10 },
    ...{ health: async () => ({ ok: true }), metrics: async () => ({ contentType: "text/plain", text: "up 1\n" }) },
  });

  it("have health beside them, and nothing else", async () => {
    const pages = pagesListener(parts(0));
    pages.start();
    await until("it listens", () => pages.port !== null);
    const get = (path: string) => fetch(`http://127.0.0.1:${pages.port}${path}`);
    expect(await (await get("/metrics")).text()).toBe("up 1\n");
    expect(await (await get("/health")).json()).toEqual({ ok: true });
    expect((await get(`/media/${"0".repeat(64)}`)).status).toBe(404);
    await pages.stop();
  });

  it("keep nothing from starting where it is taken, which is told, and come when it is free", async () => {
    const port = Number(new URL(`http://${address}`).port);
    const pages = pagesListener(parts(port));
    pages.start();
    await until("it is told", () => JSON.stringify(lines).includes("set BRIDGE_METRICS_LISTEN to another"));
    await listener.stop();
    await until("it listens", () => pages.port === port);
    await pages.stop();
    await listen({ host: "127.0.0.1", port: 0 });
  });
});

describe("GET /health", () => {
  it("is red without a plugin and green with one, by status as well", async () => {
    const before = await fetch(`http://${address}/health`);
    expect([before.status, await before.json()]).toEqual([503, { ok: false }]);
    const plugin = await connect();
    plugin.send(HELLO);
    await plugin.next();
    const after = await fetch(`http://${address}/health`);
    expect([after.status, await after.json()]).toEqual([200, { ok: true }]);
  });

  it.each([
    ["/", "GET", 404],
    ["/health", "POST", 405],
  ])("is all there is: %s %s is %i", async (path, method, status) => {
    const response = await fetch(`http://${address}${path}`, { method });
    expect(response.status).toBe(status);
    await response.arrayBuffer();
  });
});
