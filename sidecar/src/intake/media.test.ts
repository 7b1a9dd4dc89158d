import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MAX_FILE_BYTES } from "@hotbags/shared";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { until } from "../../../test/until.ts";
import { systemClock } from "../clock.ts";
import { openLog } from "../log.ts";
import { DEFAULT_MEDIA_LIMITS, openStore, type Store } from "../store/index.ts";
import { Listener, MAX_PLUGIN_CONNECTIONS } from "./listener.ts";
import { MAX_UPLOADS } from "./media.ts";

const TOKEN = "0123456789abcdef-bridge";
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

let dir: string;
let store: Store;
let listener: Listener;
let port: number;
let lines: Record<string, unknown>[];
const open: ClientRequest[] = [];

async function start({ storeBytes = DEFAULT_MEDIA_LIMITS.storeBytes, requestTimeoutMs = 60_000 } = {}) {
  store = openStore(dir, systemClock, { ...DEFAULT_MEDIA_LIMITS, storeBytes });
  const log = openLog("info", { write: (line) => void lines.push(JSON.parse(line)) });
  const address = { host: "127.0.0.1", port: 0 };
  listener = new Listener({ address, token: TOKEN, log, health: async () => ({ ok: true }), requestTimeoutMs });
  port = Number((await listener.start()).split(":")[1]);
  listener.open({ store, onAccepted: () => {}, onSent: () => {} });
}

async function stop() {
  await listener.stop();
  store.close();
}

async function restart(...how: Parameters<typeof start>) {
  await stop();
  await start(...how);
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-media-"));
  lines = [];
  await start();
});
afterEach(async () => {
  for (const upload of open.splice(0)) upload.destroy();
  await stop();
  rmSync(dir, { recursive: true });
});

interface Answer {
  status: number | undefined;
  offset: number | undefined;
  complete: string | undefined;
}

const nameOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const pathOf = (bytes: Buffer) => join(dir, "media", nameOf(bytes));

/** A request to the endpoint whose body is the caller's to write. */
function begin(method: string, path: string, headers: Record<string, string | number> = {}): ClientRequest {
  const asked = request({ host: "127.0.0.1", port, method, path, headers: { ...AUTHORIZED, ...headers } });
  asked.on("error", () => {});
  open.push(asked);
  return asked;
}

/** Resolves when the connection is gone, however it ended, and also if it was before. */
const closed = (asked: ClientRequest) =>
  new Promise<void>((resolve) => (asked.closed ? resolve() : void asked.once("close", resolve)));

async function answerTo(asked: ClientRequest): Promise<Answer> {
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.resume();
  const { "upload-offset": offset, "upload-complete": complete } = response.headers;
  return { status: response.statusCode, offset: offset ? Number(offset) : undefined, complete: complete as string };
}

/** Begins to upload a file from `offset` on. */
function beginUpload(bytes: Buffer, offset: number, changes: Record<string, string | number> = {}): ClientRequest {
  return begin("PATCH", `/media/${nameOf(bytes)}`, {
    "content-type": "application/octet-stream",
    "content-length": bytes.length - offset,
    "upload-offset": offset,
    "upload-length": bytes.length,
    ...changes,
  });
}

function upload(bytes: Buffer, offset = 0): Promise<Answer> {
  const asked = beginUpload(bytes, offset);
  const answer = answerTo(asked);
  asked.end(bytes.subarray(offset));
  return answer;
}

/** Uploads so much of it, and leaves the connection open. Resolves when the sidecar has it. */
async function uploadSome(bytes: Buffer, offset: number, upTo: number): Promise<ClientRequest> {
  const asked = beginUpload(bytes, offset);
  asked.write(bytes.subarray(offset, upTo));
  await until(`${upTo} bytes are here`, async () => (await head(bytes)).offset === upTo);
  return asked;
}

async function head(bytes: Buffer): Promise<Answer> {
  const asked = begin("HEAD", `/media/${nameOf(bytes)}`);
  asked.end();
  return answerTo(asked);
}

describe("authentication for files", () => {
  it.each([
    ["no token", { authorization: "" }, 401],
    ["a wrong token", { authorization: "Bearer nope" }, 401],
    ["a browser page, even with the token", { origin: "http://127.0.0.1" }, 403],
  ])("is closed to %s", async (_who, headers: Record<string, string>, status) => {
    const bytes = randomBytes(100);
    for (const method of ["HEAD", "PATCH"]) {
      const asked = begin(method, `/media/${nameOf(bytes)}`, { ...headers, "upload-length": 0, "upload-offset": 0 });
      asked.end();
      expect(await answerTo(asked)).toMatchObject({ status });
    }
    expect(readdirSync(join(dir, "media"))).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ level: "warn", status }));
    expect(JSON.stringify(lines)).not.toContain(TOKEN);
  });

  const hash = "a".repeat(64);
  it.each([
    ["/media/", 400],
    ["/media/x", 400],
    [`/media/${hash}/`, 400],
    [`/media/${hash}?x=1`, 400],
    [`/media/${hash.toUpperCase()}`, 400],
    [`/media/${hash}.part`, 400],
    ["/media/../bridge.sqlite", 400],
    [`/media/..%2f${hash}`, 400],
    [`/media/%2e%2e/${hash}`, 400],
    [`/media//${hash}`, 400],
    [`//media/${hash}`, 404],
    [`/MEDIA/${hash}`, 404],
  ])("knows no path but a file's: %s is %i", async (path, status) => {
    const before = readdirSync(dir).sort();
    const asked = begin("PATCH", path, { "upload-length": 1, "upload-offset": 0, "content-length": 1 });
    asked.end("x");
    expect(await answerTo(asked)).toMatchObject({ status });
    expect(readdirSync(dir).sort()).toEqual(before);
    expect(readdirSync(join(dir, "media"))).toEqual([]);
  });

  it.each([
    ["GET", {}, 405],
    ["PUT", {}, 405],
    ["DELETE", {}, 405],
    ["PATCH", { "upload-offset": 0 }, 411],
    ["PATCH", { "upload-length": 1 }, 400],
    ["PATCH", { "upload-length": 1, "upload-offset": 2 }, 400],
    ["PATCH", { "upload-length": -1, "upload-offset": 0 }, 400],
    ["PATCH", { "upload-length": "1e3", "upload-offset": 0 }, 400],
    ["PATCH", { "upload-length": MAX_FILE_BYTES + 1, "upload-offset": 0 }, 413],
  ])("refuses %s with %o with %i", async (method, headers: Record<string, string | number>, status) => {
    const asked = begin(method, `/media/${hash}`, headers);
    asked.end();
    expect(await answerTo(asked)).toMatchObject({ status });
    expect(readdirSync(join(dir, "media"))).toEqual([]);
  });
});

describe("an upload", () => {
  it.each([0, 1, 65_536, 3_000_001])("of %i bytes is whole, on disk, and the owner's alone", async (size) => {
    const bytes = randomBytes(size);
    expect(await head(bytes)).toMatchObject({ status: 404 });
    expect(await upload(bytes)).toEqual({ status: 204, offset: size, complete: "?1" });
    expect(await head(bytes)).toEqual({ status: 204, offset: size, complete: "?1" });
    expect(readFileSync(pathOf(bytes)).equals(bytes)).toBe(true);
    expect(statSync(pathOf(bytes)).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "media")).mode & 0o777).toBe(0o700);
    expect(store.files.status).toMatchObject({ count: 1, bytes: size });
  });

  it("of what is here already changes nothing, whatever is sent", async () => {
    const bytes = randomBytes(1_000);
    await upload(bytes);
    const again = beginUpload(bytes, 0);
    const answer = answerTo(again);
    again.end(randomBytes(1_000));
    expect(await answer).toEqual({ status: 204, offset: 1_000, complete: "?1" });
    expect(readFileSync(pathOf(bytes)).equals(bytes)).toBe(true);
    expect(store.files.status).toMatchObject({ count: 1, bytes: 1_000 });
  });

  it("that is cut goes on where it was, and where the sidecar was restarted in between", async () => {
    const bytes = randomBytes(300_000);
    (await uploadSome(bytes, 0, 100_000)).destroy();
    expect(await head(bytes)).toEqual({ status: 204, offset: 100_000, complete: "?0" });
    (await uploadSome(bytes, 100_000, 200_000)).destroy();
    await restart();
    expect(await head(bytes)).toEqual({ status: 204, offset: 200_000, complete: "?0" });
    expect(store.files.status).toMatchObject({ count: 0, bytes: 200_000 });
    expect(await upload(bytes, 200_000)).toEqual({ status: 204, offset: 300_000, complete: "?1" });
    expect(readFileSync(pathOf(bytes)).equals(bytes)).toBe(true);
    expect(store.files.status).toMatchObject({ count: 1, bytes: 300_000 });
  });

  it("is cut by a stop of the sidecar, which does not wait for it", async () => {
    const bytes = randomBytes(300_000);
    const asked = await uploadSome(bytes, 0, 100_000);
    const broken = closed(asked);
    await restart();
    await broken;
    expect(await upload(bytes, 100_000)).toEqual({ status: 204, offset: 300_000, complete: "?1" });
  });

  it("may come in several bodies", async () => {
    const bytes = randomBytes(1_000);
    const first = beginUpload(bytes, 0, { "content-length": 400 });
    const answer = answerTo(first);
    first.end(bytes.subarray(0, 400));
    expect(await answer).toEqual({ status: 204, offset: 400, complete: "?0" });
    expect(await upload(bytes, 400)).toEqual({ status: 204, offset: 1_000, complete: "?1" });
  });

  it("whose sender leaves as soon as it has sent all of it is no trouble of the disk", async () => {
    for (let n = 0; n < 100; n++) {
      const bytes = randomBytes(100);
      const sender = connect(port, "127.0.0.1");
      await once(sender, "connect");
      const { authorization } = AUTHORIZED;
      sender.write(
        `PATCH /media/${nameOf(bytes)} HTTP/1.1\r\nhost: bridge\r\nauthorization: ${authorization}\r\n` +
          "upload-length: 100\r\nupload-offset: 0\r\ncontent-length: 100\r\n\r\n",
      );
      sender.end(bytes);
      sender.destroySoon();
      await once(sender, "close");
    }
    await restart();
    expect(lines.filter(({ alarm }) => alarm)).toEqual([]);
  });

  it("with all its bytes there and not yet whole is made so by an empty body", async () => {
    const bytes = randomBytes(1_000);
    writeFileSync(`${pathOf(bytes)}.part`, bytes);
    await restart();
    expect(await head(bytes)).toEqual({ status: 204, offset: 1_000, complete: "?0" });
    expect(await upload(bytes, 1_000)).toEqual({ status: 204, offset: 1_000, complete: "?1" });
  });

  it("at a wrong offset is told the right one", async () => {
    const bytes = randomBytes(1_000);
    expect(await upload(bytes, 10)).toMatchObject({ status: 409, offset: 0 });
    (await uploadSome(bytes, 0, 500)).destroy();
    expect(await upload(bytes, 0)).toMatchObject({ status: 409, offset: 500 });
    expect(await upload(bytes, 600)).toMatchObject({ status: 409, offset: 500 });
    expect(await upload(bytes, 500)).toMatchObject({ status: 204, complete: "?1" });
  });

  it("with another hash is thrown away, also where the wrong bytes came before a cut", async () => {
    const bytes = randomBytes(1_000);
    const wrong = Buffer.concat([randomBytes(400), bytes.subarray(400)]);
    const first = beginUpload(bytes, 0, { "content-length": 400 });
    first.end(wrong.subarray(0, 400));
    await answerTo(first);
    expect(await upload(bytes, 400)).toMatchObject({ status: 422 });
    expect(readdirSync(join(dir, "media"))).toEqual([]);
    expect(store.files.status).toMatchObject({ count: 0, bytes: 0 });
    expect(await upload(bytes)).toMatchObject({ status: 204, complete: "?1" });
  });

  it("that is longer than it said is refused, and what fits stays", async () => {
    const bytes = randomBytes(1_000);
    const asked = beginUpload(bytes, 0, { "transfer-encoding": "chunked" });
    asked.removeHeader("content-length");
    const answer = answerTo(asked);
    asked.end(Buffer.concat([bytes, bytes]));
    expect(await answer).toMatchObject({ status: 400 });
    const { offset = 0 } = await head(bytes);
    expect(await upload(bytes, offset)).toMatchObject({ status: 204, complete: "?1" });
  });

  it("of a shorter file than what is here starts again", async () => {
    const bytes = randomBytes(1_000);
    writeFileSync(`${pathOf(bytes)}.part`, randomBytes(2_000));
    await restart();
    expect(await upload(bytes, 1_000)).toMatchObject({ status: 409, offset: 0 });
    expect(await upload(bytes)).toMatchObject({ status: 204, complete: "?1" });
    expect(store.files.status).toMatchObject({ count: 1, bytes: 1_000 });
  });

  it("is ended by a newer one of the same file, and the newest of many wins", async () => {
    const bytes = randomBytes(300_000);
    let newest = await uploadSome(bytes, 0, 100_000);
    for (let rival = 0; rival < 3; rival++) {
      const ended = closed(newest);
      newest = beginUpload(bytes, 100_000);
      newest.flushHeaders();
      await ended;
    }
    const answer = answerTo(newest);
    newest.end(bytes.subarray(100_000));
    expect(await answer).toEqual({ status: 204, offset: 300_000, complete: "?1" });
    expect(readFileSync(pathOf(bytes)).equals(bytes)).toBe(true);
    expect(store.files.status).toMatchObject({ count: 1, bytes: 300_000 });
  });

  it("that stalls is cut, and keeps what came", async () => {
    await restart({ requestTimeoutMs: 300 });
    const bytes = randomBytes(1_000);
    const stalled = await uploadSome(bytes, 0, 500);
    await closed(stalled);
    // With all the time that it needs.
    await restart();
    expect(await upload(bytes, 500)).toMatchObject({ status: 204, complete: "?1" });
  });
});

describe("the store's limit", () => {
  it("counts what is here, whole or not, and what is coming in", async () => {
    await restart({ storeBytes: 3_000 });
    const [one, two, three, four] = [1, 2, 3, 4].map(() => randomBytes(1_000)) as [Buffer, Buffer, Buffer, Buffer];
    await upload(one);
    (await uploadSome(two, 0, 500)).destroy();
    const coming = await uploadSome(three, 0, 1);
    expect(store.files.status.bytes).toBeGreaterThanOrEqual(2_500);
    expect(await upload(randomBytes(501))).toMatchObject({ status: 507 });
    expect(lines).toContainEqual(expect.objectContaining({ alarm: true, level: "error" }));
    const answer = answerTo(coming);
    coming.end(three.subarray(1));
    expect(await answer).toMatchObject({ status: 204, complete: "?1" });
    expect(await upload(two, 500)).toMatchObject({ status: 204, complete: "?1" });
    expect(await upload(four)).toMatchObject({ status: 507 });
    expect(await upload(one)).toMatchObject({ status: 204, complete: "?1" });
    expect(store.files.status).toEqual({ count: 3, bytes: 3_000, limitBytes: 3_000, givenUp: 0 });
  });

  it("gives back what an upload that was cut had been promised", async () => {
    await restart({ storeBytes: 1_000 });
    const [large, small] = [randomBytes(1_000), randomBytes(900)];
    const asked = await uploadSome(large, 0, 100);
    expect(await upload(small)).toMatchObject({ status: 507 });
    asked.destroy();
    await until("the promise is given back", () => store.files.status.bytes === 100);
    expect(await upload(small)).toMatchObject({ status: 204, complete: "?1" });
  });
});

it("as many uploads as may be, all stalled, keep neither a plugin nor /health out", async () => {
  const files = Array.from({ length: MAX_UPLOADS }, () => randomBytes(1_000));
  for (const bytes of files) await uploadSome(bytes, 0, 1);
  const more = Array.from({ length: MAX_UPLOADS }, () => upload(randomBytes(1_000)));
  for (const answer of await Promise.all(more)) expect(answer).toMatchObject({ status: 503 });
  const plugins = await Promise.all(
    Array.from({ length: MAX_PLUGIN_CONNECTIONS }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: AUTHORIZED });
      await once(socket, "open");
      return socket;
    }),
  );
  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  for (const plugin of plugins) plugin.terminate();
  const [first] = files as [Buffer];
  expect(await upload(first, 1)).toMatchObject({ status: 204, complete: "?1" });
});

it("a disk that can't be written is a 503 with an alarm, and nothing is lost", async () => {
  const bytes = randomBytes(100_000);
  (await uploadSome(bytes, 0, 50_000)).destroy();
  await until("it is let go", () => store.files.status.bytes === 50_000);
  // Even root can't open a folder as a file.
  rmSync(join(dir, "media"), { recursive: true });
  writeFileSync(join(dir, "media"), "not a folder");
  expect(await upload(bytes)).toMatchObject({ status: 503 });
  expect(lines).toContainEqual(expect.objectContaining({ alarm: true, level: "error" }));
  rmSync(join(dir, "media"));
  await restart();
  expect(await upload(bytes)).toMatchObject({ status: 204, complete: "?1" });
});
