import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { get, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_CONNECTIONS } from "../../sidecar/src/intake/listener.ts";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";
import { until } from "../until.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";

// Processes of this machine that have no token and keep connections open, against the real sidecar.

let sidecar: BuiltSidecar;
const crowded = new Set<Socket>();

beforeEach(async () => {
  sidecar = await BuiltSidecar.start();
});
afterEach(async () => {
  for (const client of crowded) client.destroy();
  await sidecar.close();
});

/** What a client without the token says after it has connected, and then nothing more. */
const SAYS = {
  nothing: "",
  "half a request": "GET /health HTTP/1.1\r\nHost: loc",
  "a request, and reads no answer": "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "that it has a file, without the token":
    "PATCH /media/ HTTP/1.1\r\nHost: localhost\r\nUpload-Length: 9\r\nUpload-Offset: 0\r\nContent-Length: 9\r\n\r\n",
  "that it is a plugin, without the token":
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
};

/** Connects that often, and resolves when all have been connected. Whether they still are is for the sidecar to say. */
async function crowd(number: number, says: string): Promise<void> {
  const connected = Array.from({ length: number }, async () => {
    const client = connect({ port: sidecar.port, host: "127.0.0.1", allowHalfOpen: true });
    crowded.add(client);
    client.on("error", () => client.destroy());
    client.on("close", () => crowded.delete(client));
    client.on("end", () => client.destroy());
    if (says === "") client.resume();
    await once(client, "connect");
    client.write(says);
  });
  await Promise.allSettled(connected);
}

/** On a connection of its own, as `curl` does. */
async function askHealth(): Promise<number | undefined> {
  const [response] = (await once(
    get({ port: sidecar.port, host: "127.0.0.1", path: "/health", agent: false }),
    "response",
  )) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe.each([MAX_CONNECTIONS, 500])("%i connections without a token", (number) => {
  it.each(Object.keys(SAYS) as (keyof typeof SAYS)[])("that say %s keep nobody else out", async (what) => {
    const before = await sidecar.connect();
    await crowd(number, SAYS[what]);
    // 503 is the answer: there is no gateway.
    expect(await askHealth()).toBe(503);
    const again = await sidecar.connect();
    expect(await again.handIn(messageOf("A"))).toMatchObject({ type: "ack" });
    expect(await before.handIn(messageOf("B"))).toMatchObject({ type: "ack" });
    for (const { socket } of [before, again]) socket.terminate();
  });
});

it("a file that is coming in goes on while others crowd in", async () => {
  const bytes = randomBytes(100_000);
  const upload = request({
    ...{ port: sidecar.port, host: "127.0.0.1", agent: false, method: "PATCH" },
    path: `/media/${createHash("sha256").update(bytes).digest("hex")}`,
    headers: {
      authorization: `Bearer ${BRIDGE_TOKEN}`,
      "upload-offset": 0,
      "upload-length": bytes.length,
      "content-length": bytes.length,
    },
  });
  upload.write(bytes.subarray(0, 50_000));
  await once(upload, "socket");
  // Until the sidecar has seen the token, this is an idle connection like the others.
  await until("it is known", async () => (await fileOffset(upload.path)) > 0);
  await crowd(500, "");
  upload.end(bytes.subarray(50_000));
  const [response] = (await once(upload, "response")) as [IncomingMessage];
  expect([response.statusCode, response.headers["upload-complete"]]).toEqual([204, "?1"]);
});

async function fileOffset(path: string): Promise<number> {
  const headers = { authorization: `Bearer ${BRIDGE_TOKEN}` };
  const response = await fetch(`http://127.0.0.1:${sidecar.port}${path}`, { method: "HEAD", headers });
  return Number(response.headers.get("upload-offset") ?? 0);
}

it("there are soon no more connections than the limit, and the operator is told once a minute", async () => {
  await crowd(500, "");
  await until("the others are closed", () => crowded.size <= MAX_CONNECTIONS);
  const told = () => sidecar.lines.filter(({ msg }) => msg?.includes("too many connections"));
  await until("it is in the log", () => told().length > 0);
  expect(await askHealth()).toBe(503);
  expect(told()).toHaveLength(1);
});

it("who comes again and again without a token does not fill the log", async () => {
  const comes = async (says: string) => {
    const client = connect({ port: sidecar.port, host: "127.0.0.1" });
    client.end(says);
    client.resume();
    await once(client, "close");
  };
  const refused = () => sidecar.lines.filter(({ msg }) => /^(connection|file) refused/.test(msg ?? ""));
  for (const what of ["that it is a plugin, without the token", "that it has a file, without the token"] as const)
    for (let n = 0; n < 50; n += 1) await comes(SAYS[what]);
  await sidecar.wholeLog();
  expect(refused()).toEqual([expect.objectContaining({ level: "warn", status: 401, refused: 1 })]);
});

it("a request to the operator's socket that is none, or only the half of one, is no fault of the sidecar", async () => {
  const says = async (text: string) => {
    const client = connect({ path: operatorSocketOf(sidecar.dir) });
    client.write(text);
    const answer = await once(client, "data").then(String);
    client.destroy();
    return answer;
  };
  expect(await says("GET //x:99999999/ HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  const half = connect({ path: operatorSocketOf(sidecar.dir) });
  // Its answer says that the sidecar waits for the rest.
  half.write("POST /api/v1/doctor HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n{");
  await once(half, "data");
  half.destroy();
  expect(await says("GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(/^HTTP\/1.1 404 /);
  expect((await sidecar.wholeLog()).filter(({ level }) => level === "error")).toEqual([]);
});
