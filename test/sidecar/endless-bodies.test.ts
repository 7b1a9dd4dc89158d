import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../until.ts";
import { RawBackend } from "./raw-backend.ts";
import { type RealRelay, startRelay } from "./real-relay.ts";

// A status that says it all, and a body behind it that has no end. An answer may take an hour here.

const HOUR_MS = 3_600_000;

let dir: string;
let backend: RawBackend;
let running: RealRelay;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-endless-"));
  backend = await new RawBackend().start();
  running = await startRelay({ dir, url: backend.url });
  running.http.timeoutMs = HOUR_MS;
});
afterEach(async () => {
  await running.client.close();
  await running.stop();
  await backend.stop();
  rmSync(dir, { recursive: true });
});

const CHUNKED = "Transfer-Encoding: chunked";
const ANNOUNCED = "Content-Length: 1000000000";

it.each([
  ["422", "trickles", { begin: `HTTP/1.1 422 No\r\n${CHUNKED}\r\n\r\n`, goOn: "1\r\nx\r\n", everyMs: 50 }],
  ["429", "trickles", { begin: `HTTP/1.1 429 No\r\n${CHUNKED}\r\n\r\n`, goOn: "1\r\nx\r\n", everyMs: 50 }],
  ["422", "never comes", { begin: `HTTP/1.1 422 No\r\n${ANNOUNCED}\r\n\r\n`, goOn: "", everyMs: HOUR_MS }],
  ["503", "pours", { begin: `HTTP/1.1 503 No\r\n\r\n`, goOn: "x".repeat(65_536), everyMs: 0 }],
])("a %s whose body %s is judged by its status, and its chat goes on", async (status, _how, bytes) => {
  let isFirst = true;
  backend.answerTo = (_text, _post) => {
    const now = isFirst ? bytes : undefined;
    isFirst = false;
    return now ?? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
  };
  await running.takeIn("A");
  await running.takeIn("B");
  const judged = await until("it is judged", () => running.lines.find(({ message_id }) => message_id === "A"));
  expect(judged).toMatchObject({
    status: Number(status),
    msg: expect.stringContaining(`Hot Bags answered ${status}: `),
  });
  await until("both are delivered", async () => (await running.store.counters()).delivered === 2);
});
