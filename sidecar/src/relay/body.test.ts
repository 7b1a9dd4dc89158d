import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../../../test/until.ts";
import { systemClock } from "../clock.ts";
import { openLog } from "../log.ts";
import { openStore, type PendingMessage, type Store } from "../store/index.ts";
import { Body } from "./body.ts";
import { HotBags } from "./hotbags.ts";

const FILE_BYTES = 2_000_000;

let dir: string;
let store: Store;
let message: PendingMessage;
let server: Server | undefined;
let hotbags: HotBags | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-body-"));
  store = openStore(dir, systemClock);
  const bytes = randomBytes(FILE_BYTES);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const body = (async function* () {
    yield bytes;
  })();
  await store.files.receive(sha256, { offset: 0, length: FILE_BYTES, body });
  const { chat } = await store.messages.accept({
    ...{ account_id: "default", message_id: "A", chat_id: "+15550001000", from: "+15550001000", text: "look", raw: {} },
    media: [{ type: "image", mime_type: null, file_name: null, size_bytes: FILE_BYTES, sha256 }],
    timestamp: "2026-03-01T12:00:00.000Z",
  });
  message = (await store.messages.headOf(chat)) as PendingMessage;
});
afterEach(async () => {
  await hotbags?.close();
  if (server) {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
  server = undefined;
  store.close();
  rmSync(dir, { recursive: true });
});

/** The way to a server that does this. */
async function post(answer: RequestListener, timeoutMs: number) {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const baseUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const options = { bearerToken: "bearer", hmacSecret: null, extraHeaders: {}, maxRetryAfterMs: 1_000, connections: 1 };
  const log = openLog("error");
  hotbags = new HotBags({ ...options, inboundPath: "/", connectTimeoutMs: 0, baseUrl, timeoutMs, log });
  return hotbags.post(message, new Body(message, store.files));
}

const openFiles = () =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(dir, "media"));
    } catch {
      return false;
    }
  });

it("reads a file only as fast as it is taken", async () => {
  const stalled = new Body(message, store.files).open() as Readable;
  await once(stalled, "readable");
  // While nobody takes anything of the one, another is read to its end.
  const whole = await buffer(new Body(message, store.files).open() as Readable);
  expect(whole.length).toBe(new Body(message, store.files).byteLength);
  expect(stalled.readableLength).toBeLessThan(200_000);
  stalled.destroy();
  await until("its file is closed", () => openFiles().length === 0);
});

it.each([
  ["is gone", (path: string) => rmSync(path)],
  ["has got other bytes", (path: string) => writeFileSync(path, randomBytes(FILE_BYTES))],
])(
  "a file that %s since it was looked at ends the attempt, and Hot Bags gets no whole request",
  async (_how, spoil) => {
    let whole = 0;
    spoil(join(dir, "media", message.inlined[0]?.sha256 ?? ""));
    const outcome = await post((request, response) => {
      request.on("error", () => {});
      request.resume().once("end", () => {
        whole += 1;
        response.end("{}");
      });
    }, 10_000);
    expect(outcome).toMatchObject({ kind: "failed", symptom: { status: null, trouble: "file" } });
    expect(whole).toBe(0);
  },
);

it("a request that is given up leaves no file open", async () => {
  const outcome = await post(() => {}, 300);
  expect(outcome).toMatchObject({ symptom: { trouble: "timeout", seen: expect.stringContaining("300 ms") } });
  await until("its file is closed", () => openFiles().length === 0);
});

it("an answer before the end of the request counts, and leaves no file open", async () => {
  const outcome = await post((_request, response) => response.writeHead(413).end(), 10_000);
  expect(outcome).toMatchObject({ kind: "failed", symptom: { status: 413, trouble: null } });
  await until("its file is closed", () => openFiles().length === 0);
});
