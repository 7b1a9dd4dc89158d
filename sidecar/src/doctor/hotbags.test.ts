import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import { HotBags } from "../relay/hotbags.ts";
import type { Running, Subject } from "./check.ts";
import { clock } from "./clock.ts";
import { hotbags } from "./hotbags.ts";

// What Hot Bags may answer to a HEAD, and how it is read: docs/contract/README.md#ping.

const NEVER: Running = {
  problems: [],
  plugin: { connected: true },
  versions: { warnings: [] },
  hotbags: { last_success_at: null },
  outbound: { last_answer_at: null, last_failure: null },
};

/** Looks at a backend that answers so; `asked` are the requests that it got. */
async function askOf(answer: RequestListener, running: Running | null = NEVER) {
  const asked: { method: string | undefined; headers: NodeJS.Dict<string | string[]> }[] = [];
  const server = createServer((request, response) => {
    asked.push({ method: request.method, headers: request.headers });
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const baseUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const client = new HotBags({
    ...{
      baseUrl,
      inboundPath: "/inbound",
      bearerToken: "the-token",
      hmacSecret: "key",
      extraHeaders: { "x-pass": "1" },
    },
    ...{
      connectTimeoutMs: 2_000,
      timeoutMs: 2_000,
      maxRetryAfterMs: 0,
      connections: 1,
      log: pino({ level: "silent" }),
    },
  });
  onTestFinished(() => client.close());
  const subject: Subject = {
    ...{ environment: {}, stateDir: "/", settings: null, mistakes: [], gateway: null, running, testsAlert: false },
    ...{ ping: () => client.ping(true), pingAsStranger: () => client.ping(false), poll: null },
  };
  const [finding] = await hotbags.look(subject);
  return { finding, asked, subject };
}

const status =
  (code: number, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    void response.writeHead(code, headers).end();

it("takes the token: with it 204, and 401 to a stranger. Nothing is sent that could create anything", async () => {
  const { finding, asked } = await askOf((request, response) => {
    response.writeHead(request.headers.authorization === "Bearer the-token" ? 204 : 401).end();
  });
  expect(finding).toMatchObject({ level: "ok", seen: expect.stringMatching(/reachable and takes the token \(204 in/) });
  expect(asked.map(({ method }) => method)).toEqual(["HEAD", "HEAD"]);
  expect(asked[0]?.headers).toMatchObject({
    ...{ authorization: "Bearer the-token", "x-pass": "1" },
    "user-agent": expect.stringMatching(/^hotbags-bridge\//),
    // Of no bytes at all.
    "x-hotbags-signature": expect.stringMatching(/^sha256=[0-9a-f]{64}$/),
  });
  expect(asked[1]?.headers["authorization"]).toBeUndefined();
  expect(asked[1]?.headers["x-hotbags-signature"]).toBeUndefined();
  for (const { headers } of asked)
    for (const name of ["idempotency-key", "x-idempotency-key", "content-type"]) expect(headers[name]).toBeUndefined();
});

it.each<[string, RequestListener, "warn" | "fail", RegExp, RegExp]>([
  ["refuses it", status(401), "fail", /answered 401 at http.*\/inbound/, /check HOTBAGS_BEARER_TOKEN/],
  ["or a firewall does", status(403), "fail", /answered 403/, /HOTBAGS_BEARER_TOKEN.*firewall/],
  [
    "is behind Vercel's login",
    status(401, { "set-cookie": "_vercel_sso_nonce=x; Path=/" }),
    "fail",
    /answered 401/,
    /not the token: Vercel's Deployment Protection/,
  ],
  [
    "is behind Vercel's firewall",
    status(403, { "x-vercel-mitigated": "deny" }),
    "fail",
    /answered 403/,
    /not the token: Vercel's Firewall/,
  ],
  [
    "is elsewhere",
    status(308, { location: "/inbound/" }),
    "fail",
    /answered 308/,
    /never followed; it leads to .*slash at its end: set HOTBAGS_INBOUND_PATH so/,
  ],
  [
    "is no deployment any more",
    status(404, { "x-vercel-error": "DEPLOYMENT_NOT_FOUND" }),
    "fail",
    /DEPLOYMENT_NOT_FOUND/,
    /not Hot Bags, or not any more/,
  ],
  [
    "is a web page",
    status(200, { "content-type": "text/html" }),
    "fail",
    /with a web page/,
    /this address is not Hot Bags/,
  ],
  ["is unwell", status(503), "fail", /answered 503/, /see Hot Bags' own log/],
  ["breaks off", (request) => void request.socket.destroy(), "fail", /broke before the end/, /see Hot Bags' own log/],
  ["knows no ping", status(405), "warn", /can't be told: it answers 405 to a HEAD$/, /HOTBAGS_INBOUND_PATH.*#ping/],
  ["nor a HEAD", status(404), "warn", /can't be told: it answers 404 to a HEAD$/, /HOTBAGS_INBOUND_PATH.*#ping/],
  [
    "knows none, and says that it takes POST",
    status(405, { allow: "OPTIONS, POST" }),
    "warn",
    /405 to a HEAD\. It takes POST there, so the address is right$/,
    /^docs\/contract/,
  ],
  ["reads it as a message", status(422), "warn", /can't be told: it answers 422 to a HEAD/, /#ping/],
  ["takes strangers too", status(204), "warn", /can't be told: it answers 204 to a stranger too/, /#ping/],
])("%s", async (_, answer, level, seen, advice) => {
  const { finding } = await askOf(answer);
  expect(finding).toEqual({ level, seen: expect.stringMatching(seen), advice: expect.stringMatching(advice) });
  expect(JSON.stringify(finding)).not.toContain("the-token");
});

it("is not there", async () => {
  const client = new HotBags({
    ...{
      baseUrl: new URL("http://127.0.0.1:1"),
      inboundPath: "/",
      bearerToken: "t",
      hmacSecret: null,
      extraHeaders: {},
    },
    ...{
      connectTimeoutMs: 2_000,
      timeoutMs: 2_000,
      maxRetryAfterMs: 0,
      connections: 1,
      log: pino({ level: "silent" }),
    },
  });
  onTestFinished(() => client.close());
  const { symptom, date } = await client.ping(true);
  expect([symptom.seen, date]).toEqual(["Hot Bags can't be reached (ECONNREFUSED)", null]);
});

it("needs no ping where the sidecar has seen that it takes messages", async () => {
  const running = { ...NEVER, hotbags: { last_success_at: "2026-03-02T03:12:40.000Z" } };
  const { finding } = await askOf(status(405), running);
  expect(finding).toMatchObject({ level: "ok", seen: expect.stringContaining("took a message last at 2026-03-02T03") });
});

it.each([
  [0, "ok", /as Hot Bags' clock/],
  [-90_000, "warn", /(90|91) s ahead of Hot Bags'/],
  [3_600_000, "fail", /behind Hot Bags'/],
])("its clock, %i ms from ours, says how ours is", async (offMs, level, seen) => {
  const { subject } = await askOf((_, response) => {
    response.writeHead(204, { date: new Date(Date.now() + offMs).toUTCString() }).end();
  });
  expect(await clock.look(subject)).toEqual([expect.objectContaining({ level, seen: expect.stringMatching(seen) })]);
});
