import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openLog } from "../log.ts";
import type { Files, PendingMessage } from "../store/index.ts";
import { Body } from "./body.ts";
import type { HotBagsSecrets } from "./credentials.ts";
import { HotBags } from "./hotbags.ts";

const message = { message_id: "A", account_id: "default", request: "{}", inlined: [] } as unknown as PendingMessage;

/** What was shown, one word a request: `new`, or `new/old-key` where it was signed. */
let shown: string[];
/** And the headers of each. */
let headers: IncomingHttpHeaders[];
let answer: (response: ServerResponse, shown: string) => void;
let server: Server;
let hotbags: HotBags;

beforeEach(async () => {
  shown = [];
  headers = [];
  server = createServer((request, response) => {
    const signature = String(request.headers["x-hotbags-signature"] ?? "");
    const key = ["new-key", "old-key"].find((one) =>
      signature.includes(createHmac("sha256", one).update("{}").digest("hex")),
    );
    const what = [request.headers.authorization?.replace("Bearer ", ""), key].filter(Boolean).join("/");
    shown.push(what);
    headers.push(request.headers);
    request.resume().on("end", () => answer(response, what));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  vi.useRealTimers();
  await hotbags.close();
  server.close();
  server.closeAllConnections();
});

function knowing(secrets: HotBagsSecrets) {
  const baseUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const times = { connectTimeoutMs: 0, timeoutMs: 10_000, maxRetryAfterMs: 1_000 };
  const options = { ...secrets, ...times, inboundPath: "/", extraHeaders: {}, connections: 1 };
  hotbags = new HotBags({ ...options, baseUrl, log: openLog("silent") });
}

const post = () => hotbags.post(message, new Body(message, {} as Files));
const refuse = (response: ServerResponse, status = 401) => void response.writeHead(status).end();
const take = (response: ServerResponse) => void response.writeHead(200).end("{}");

const BOTH = { bearerToken: "new", bearerTokenPrevious: "old", hmacSecret: null };

it.each([401, 403])("the former token is shown when the new one is refused (%d)", async (status) => {
  answer = (response, what) => (what === "old" ? take(response) : refuse(response, status));
  knowing(BOTH);
  expect(await post()).toMatchObject({ kind: "answered" });
  expect(shown).toEqual(["new", "old"]);
  expect(hotbags.rotations.HOTBAGS_BEARER_TOKEN).toMatchObject({ accepted: "previous", newAt: null });
});

it("what refuses all is shown each once more, for it may be changing over, and that is one failure", async () => {
  answer = (response) => refuse(response);
  knowing(BOTH);
  expect(await post()).toMatchObject({ kind: "failed", symptom: { status: 401 } });
  expect(shown).toEqual(["new", "old", "new", "old"]);
  expect(hotbags.rotations.HOTBAGS_BEARER_TOKEN).toMatchObject({ accepted: null });
});

it("what changes over in the middle of it takes the message all the same", async () => {
  // It knows the former token while the new one is shown, and the new one while the former is.
  answer = (response, what) => (shown.length > 2 && what === "new" ? take(response) : refuse(response));
  knowing(BOTH);
  expect(await post()).toMatchObject({ kind: "answered" });
  expect(shown).toEqual(["new", "old", "new"]);
});

it("of two tokens and two keys each pair is tried", async () => {
  answer = (response, what) => (what === "old/old-key" ? take(response) : refuse(response));
  knowing({ ...BOTH, hmacSecret: "new-key", hmacSecretPrevious: "old-key" });
  expect(await post()).toMatchObject({ kind: "answered" });
  expect(shown).toEqual(["new/new-key", "old/new-key", "new/old-key", "old/old-key"]);
});

it.each([
  ["another failure", (response: ServerResponse) => refuse(response, 500)],
  [
    "Vercel's firewall",
    (response: ServerResponse) => void response.writeHead(403, { "x-vercel-mitigated": "deny" }).end(),
  ],
  [
    "Vercel's login",
    (response: ServerResponse) => void response.writeHead(401, { "set-cookie": "_vercel_sso_nonce=x" }).end(),
  ],
])("the former token is of no use against %s", async (_what, what) => {
  answer = what;
  knowing(BOTH);
  expect(await post()).toMatchObject({ kind: "failed" });
  expect(shown).toEqual(["new"]);
});

it("one token is shown once, also where the former one is the same", async () => {
  answer = (response) => refuse(response);
  knowing({ ...BOTH, bearerTokenPrevious: "new" });
  await post();
  expect(shown).toEqual(["new"]);
  expect(hotbags.rotations.HOTBAGS_BEARER_TOKEN).toBeNull();
});

it("a token that came while a message was under way is shown for it", async () => {
  answer = (response, what) => {
    if (what === "newer") return take(response);
    hotbags.adopt({
      bearerToken: "newer",
      bearerTokenPrevious: "new",
      hmacSecret: null,
      extraHeaders: {},
      timeoutMs: 10_000,
    });
    refuse(response);
  };
  knowing({ bearerToken: "new", hmacSecret: null });
  expect(await post()).toMatchObject({ kind: "answered" });
  expect(shown).toEqual(["new", "newer"]);
});

it("what was accepted before is of no account for other secrets, and goes on to count for the same", async () => {
  answer = take;
  knowing(BOTH);
  await post();
  const accepted = () => hotbags.rotations.HOTBAGS_BEARER_TOKEN?.accepted;
  hotbags.adopt({ ...BOTH, extraHeaders: { "x-a": "1" }, timeoutMs: 5_000 });
  expect(accepted()).toBe("new");
  hotbags.adopt({ ...BOTH, bearerToken: "newest", bearerTokenPrevious: "new", extraHeaders: {}, timeoutMs: 5_000 });
  expect(accepted()).toBeNull();
});

describe("Standard Webhooks", () => {
  const [NOW, FORMER] = ["new", "old"].map((one) => `whsec_${btoa(one.repeat(12))}`) as [string, string];
  const headersOf = (signed: IncomingHttpHeaders) =>
    Object.fromEntries(Object.entries(signed).filter(([name]) => name.startsWith("webhook-"))) as Record<
      string,
      string
    >;
  const takeAll = () => {
    answer = (response) => take(response);
  };

  it("the official package takes the signature of either secret, and refuses it for any other body", async () => {
    takeAll();
    knowing({ ...BOTH, webhookSecret: NOW, webhookSecretPrevious: FORMER });
    await post();
    const [signed] = headers.map(headersOf);
    for (const secret of [NOW, FORMER]) expect(new Webhook(secret).verify("{}", signed ?? {})).toEqual({});
    expect(() => new Webhook(NOW).verify("{ }", signed ?? {})).toThrow("No matching signature");
    expect(signed?.["webhook-id"]).toBe("A");
    hotbags.adopt({ ...BOTH, extraHeaders: {}, timeoutMs: 10_000, webhookSecret: NOW });
    await post();
    expect(() => new Webhook(FORMER).verify("{}", headersOf(headers[1] ?? {}))).toThrow("No matching signature");
  });

  it("the time is that of the attempt, the body and the key are those of all", async () => {
    takeAll();
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000_000_000 });
    knowing({ ...BOTH, webhookSecret: NOW });
    await post();
    vi.setSystemTime(1_000_000_007_900);
    await post();
    expect(headers.map((each) => each["webhook-timestamp"])).toEqual(["1000000000", "1000000007"]);
    expect(headers.map((each) => each["idempotency-key"])).toEqual(["A", "A"]);
  });

  it("a ping is signed as well, of no bytes", async () => {
    takeAll();
    knowing({ ...BOTH, webhookSecret: NOW });
    await hotbags.ping(true);
    await hotbags.ping(false);
    const [signed, stranger] = headers.map(headersOf);
    expect(() => new Webhook(NOW).verify("", signed ?? {})).not.toThrow();
    expect(stranger).toEqual({});
  });

  it("without a secret there is none of it", async () => {
    takeAll();
    knowing(BOTH);
    await post();
    expect(headersOf(headers[0] ?? {})).toEqual({});
  });
});
