import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { describe, expect, it, type TestContext } from "vitest";
import { INBOUND_PATH } from "../../shared/src/index.ts";
import { RULES } from "../../sidecar/src/relay/rules.ts";
import { freePort } from "../hotbags/port.ts";
import { until } from "../until.ts";
import { answer, type Bytes, type RawBackend, TAKEN } from "./raw-backend.ts";
import { BEARER, chat, RawShop, textOf } from "./raw-shop.ts";

// What operators of such bridges have met, byte for byte, on the real sidecar: whose fault it takes each answer for.

const JSON_TYPE = "Content-Type: application/json";
const VERCEL = "Server: Vercel";

/** Of each rule, what was seen in the wild. */
const EXAMPLES: Record<string, Record<string, Bytes>> = {
  continue: { "an unasked 100": `HTTP/1.1 100 Continue\r\n\r\n${TAKEN}` },
  timeout: { "no answer": "hang" },
  broken: {
    "a cut connection": "cut",
    "half an answer": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    "an answer in chunks of which one is none": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "another protocol from here on": "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
  },
  "not-http": { SSH: "SSH-2.0-OpenSSH_9.6\r\n", "an alert of TLS": "\x15\x03\x01\x00\x02\x02\x46" },
  headers: { "40 KiB of them": answer("200 OK", [JSON_TYPE, `Set-Cookie: s=${"x".repeat(40 * 1024)}`], "{}") },
  page: {
    "a parked domain": answer("200 OK", ["Content-Type: text/html"], "<h1>Buy this domain</h1>"),
    "a page without its type": answer("200 OK", [], "<!doctype html><title>Shop</title>"),
  },
  failure: {
    "success false": answer("200 OK", [JSON_TYPE], '{"success": false, "error": "relation does not exist"}'),
    "an error alone": answer("200 OK", [JSON_TYPE], '{"error": {"code": "PGRST301"}}'),
  },
  contract: {
    ok: answer("200 OK", [], "ok"),
    nothing: answer("200 OK"),
    "a list": answer("200 OK", [JSON_TYPE], "[]"),
    "bytes that are no text": answer("200 OK", ["Content-Encoding: gzip"], "no gzip"),
  },
  "vercel-login": {
    "401 of the login": answer("401 Unauthorized", [VERCEL, "Set-Cookie: _vercel_sso_nonce=x; Path=/"], "<html>"),
    "a redirect to the login": answer("302 Found", [VERCEL, "Location: https://vercel.com/sso-api?url=x&nonce=y"]),
  },
  "vercel-firewall": {
    "403 of the firewall": answer("403 Forbidden", [VERCEL, "x-vercel-mitigated: deny"]),
    "429 of a challenge": answer("429 Too Many Requests", [VERCEL, "x-vercel-mitigated: challenge"]),
  },
  redirect: {
    "to a slash": answer("308 Permanent Redirect", [`Location: ${INBOUND_PATH}/`]),
    "to www": answer("307 Temporary Redirect", [`Location: https://www.shop.example${INBOUND_PATH}`]),
    "to a login": answer("302 Found", ["Location: /login?next=%2Fapi"]),
    "to nowhere": answer("304 Not Modified"),
  },
  token: { 401: answer("401 Unauthorized"), 407: answer("407 Proxy Authentication Required") },
  forbidden: { 403: answer("403 Forbidden") },
  "switched-off": { 402: answer("402 Payment Required", [VERCEL, "x-vercel-error: DEPLOYMENT_DISABLED"]) },
  "not-here": {
    "a deleted deployment": answer("404 Not Found", [VERCEL, "x-vercel-error: DEPLOYMENT_NOT_FOUND"]),
    "a page route": answer("405 Method Not Allowed"),
    gone: answer("410 Gone"),
    "another host": answer("421 Misdirected Request"),
    "no POST": answer("501 Not Implemented"),
    "a deployment that calls itself": answer("508 Loop Detected", [VERCEL, "x-vercel-error: INFINITE_LOOP_DETECTED"]),
    "Cloudflare without origin": answer("530", ["Server: cloudflare"]),
  },
  "in-progress": { 409: answer("409 Conflict", ["Retry-After: 0"]) },
  "too-large": { 413: answer("413 Payload Too Large") },
  busy: { 429: answer("429 Too Many Requests") },
  unwell: {
    408: answer("408 Request Timeout"),
    425: answer("425 Too Early"),
    500: answer("500 Internal Server Error"),
    502: answer("502 Bad Gateway"),
    503: answer("503 Service Unavailable"),
    "a function that takes too long": answer("504", [VERCEL, "x-vercel-error: FUNCTION_INVOCATION_TIMEOUT"]),
    "Cloudflare's own": answer("522"),
  },
  refused: {
    400: answer("400 Bad Request"),
    415: answer("415 Unsupported Media Type"),
    422: answer("422 Unprocessable Content"),
    451: answer("451 Unavailable For Legal Reasons"),
  },
};

/** These have tests of their own below, or beside the code: no bytes come back. */
const WITHOUT_BYTES = ["tls", "unreachable", "file", "descriptors"];

const examples = Object.entries(EXAMPLES).flatMap(([rule, all]) =>
  Object.entries(all).map(([what, bytes]) => ({ rule, what, bytes })),
);

/** A shop for one test. Tests that wait for a backoff run beside each other. */
async function open({ onTestFinished }: TestContext, env?: Parameters<typeof RawShop.start>[0]) {
  const shop = await RawShop.start(env);
  onTestFinished(() => shop.close());
  return shop;
}

it("there is an example of each rule", () => {
  expect([...Object.keys(EXAMPLES), ...WITHOUT_BYTES].toSorted()).toEqual(RULES.map(({ name }) => name).toSorted());
});

describe.concurrent("what one message gets while others pass", () => {
  // It would take minutes until these step aside.
  const impatient = examples.filter(({ rule }) => rule !== "in-progress" && rule !== "busy");

  it("is that message's: it steps aside, its chat goes on, and the operator is told of it once", async (test) => {
    const shop = await open(test);
    const { backend } = shop;
    const poisoned = new Map(impatient.map(({ bytes }, n) => [textOf(`bad-${n}`), bytes]));
    backend.answerTo = (text) => poisoned.get(text) ?? TAKEN;
    let sent = 0;
    /** One message of somebody else, which passes. */
    const other = async () => {
      sent += 1;
      await shop.handIn(`other-${sent}`, chat(500 + (sent % 20)));
      await until("it is taken", () => backend.taken.includes(textOf(`other-${sent}`)), 60_000);
    };
    for (const n of impatient.keys()) {
      await shop.handIn(`bad-${n}`, chat(n));
      await shop.handIn(`good-${n}`, chat(n));
      await other();
    }
    const isOver = async () => {
      const { detached, pending } = (await shop.health()).messages;
      return detached === impatient.length && pending === detached;
    };
    while (!(await isOver())) {
      await other();
      await after(50);
    }
    const aboutMessage = (n: number) => shop.alarms.filter(({ message_id }) => message_id === `bad-${n}`);
    for (const [n, { rule, what }] of impatient.entries()) {
      await until(`${rule}: ${what} is told`, () => aboutMessage(n).length > 0);
      expect(aboutMessage(n), `${rule}: ${what}`).toEqual([expect.objectContaining({ rule })]);
      expect(backend.taken, `${rule}: ${what}`).toContain(textOf(`good-${n}`));
    }
    // So many that fail by themselves may meet: what is said of all is true then, and of no alarm more than once.
    for (const { alert, msg } of shop.alarms.filter(({ message_id }) => message_id === undefined))
      expect([alert, msg]).toEqual(["hot_bags", expect.stringMatching(/and [2-9]\d* different messages have failed/)]);
    expect(JSON.stringify(shop.lines)).not.toContain(BEARER);
  }, 150_000);
});

/**
 * Messages of two chats that all get this: they are held; then all is well, from the next time on that a chat's first one is
 * asked, and each chat's come in order.
 */
async function allGet(shop: RawShop, bytes: Bytes, firmAfter: () => Promise<unknown>) {
  const { backend } = shop;
  backend.answerTo = () => bytes;
  const ids = (of: string) => [0, 1, 2].map((n) => `${of}${n}`);
  for (const n of [0, 1, 2]) {
    await shop.handIn(`a${n}`, chat(1));
    await shop.handIn(`b${n}`, chat(2));
  }
  await firmAfter();
  const found = await shop.health();
  expect(found.messages).toMatchObject({ pending: 6, delivered: 0, detached: 0, dead: 0 });
  expect(found.hotbags).toMatchObject({ reachable: false, last_success_at: null });
  let isWell = false;
  backend.answerTo = (text) => {
    isWell ||= text === textOf("a0") || text === textOf("b0");
    return isWell ? TAKEN : bytes;
  };
  await shop.delivered(6);
  for (const of of ["a", "b"])
    expect(backend.taken.filter((text) => text.startsWith(textOf(of)))).toEqual(ids(of).map(textOf));
  expect(await shop.health()).toMatchObject({ hotbags: { reachable: true }, messages: { pending: 0 } });
  return found;
}

describe.concurrent("what every message gets", () => {
  const toldAtOnce = ["page", "vercel-login", "vercel-firewall", "redirect", "token", "forbidden"];
  const firsts = [...toldAtOnce, "switched-off", "not-here", "too-large", "refused", "contract", "failure"].map(
    (rule) => examples.find((example) => example.rule === rule) as (typeof examples)[number],
  );

  it.for(firsts)("is the deployment's: $what, by the rule $rule, in one true alert", async ({ rule, bytes }, test) => {
    const shop = await open(test);
    const { fault, alarmAtOnce } = RULES.find(({ name }) => name === rule) ?? {};
    const found = await allGet(shop, bytes, () => shop.alarmAbout(({ alert }) => alert === "hot_bags"));
    // What no repetition will mend is told of the first message already, in the log.
    const first = alarmAtOnce ? [expect.objectContaining({ rule, message_id: expect.any(String) })] : [];
    expect(shop.alarms).toEqual([...first, expect.objectContaining({ alert: "hot_bags", fault })]);
    expect(found.problems).toContainEqual(expect.stringContaining(`${shop.backend.url}${INBOUND_PATH}`));
  });

  it("is an alert also where it was told of a lone message before, which is in the log only", async (test) => {
    const shop = await open(test);
    shop.backend.answerTo = () => answer("401 Unauthorized");
    await shop.handIn("lone", chat(1));
    await shop.alarmAbout(({ message_id, rule }) => message_id === "lone" && rule === "token");
    await shop.handIn("second", chat(2));
    await shop.alarmAbout(({ alert, fault }) => alert === "hot_bags" && fault === "credentials");
    await shop.handIn("third", chat(3));
    await until("it was asked, too", () => shop.backend.postsOf(textOf("third")).length > 0);
    expect(shop.alarms).toHaveLength(2);
  });

  // The others of their rules differ in nothing that could matter here.
  it.for(examples.filter(({ what }) => ["500", "429", "a cut connection"].includes(what)))(
    "holds all, and is told when it lasts: $what, by the rule $rule",
    async ({ bytes }, test) => {
      const shop = await open(test);
      await allGet(shop, bytes, () => shop.knownAsAway());
      expect(shop.alarms).toEqual([]);
    },
  );

  it("names what Vercel says of a deployment that is gone, and takes nobody's time", async (test) => {
    const shop = await open(test);
    const [gone = ""] = Object.values(EXAMPLES["not-here"] ?? {});
    const found = await allGet(shop, gone, () => shop.alarmAbout(({ alert }) => alert === "hot_bags"));
    expect(found.problems.join()).toMatch(/answered 404 \(x-vercel-error: DEPLOYMENT_NOT_FOUND\) at http:\/\/127/);
    expect(found.hotbags.last_failure).toContain("this address is not Hot Bags");
  });

  it.for([
    {
      rule: "unreachable",
      url: async () => `http://127.0.0.1:${await freePort()}`,
      said: /ECONNREFUSED/,
    },
    {
      rule: "tls",
      url: async ({ url }: RawBackend) => url.replace("http:", "https:"),
      said: /no encrypted connection/,
    },
  ])("is the deployment's at the first already where there is no connection ($rule)", async ({ url, said }, test) => {
    const shop = await open(test, async (backend) => ({ HOTBAGS_BASE_URL: await url(backend) }));
    await shop.handIn("lone", chat(1));
    await shop.knownAsAway();
    const { problems, messages } = await shop.health();
    expect(problems.join()).toMatch(said);
    expect(messages).toMatchObject({ pending: 1, detached: 0 });
  });
});

it("that messages of one chat alone get is told as such", async (test) => {
  const shop = await open(test);
  const { backend } = shop;
  backend.answerTo = (text) => (text.startsWith(textOf("bad")) ? answer("404 Not Found") : TAKEN);
  await shop.handIn("other", chat(2));
  await shop.delivered(1);
  for (const n of [1, 2, 3]) await shop.handIn(`bad-${n}`, chat(1));
  const { msg } = await shop.alarmAbout(({ alert }) => alert === "hot_bags");
  expect(msg).toContain("They are all of one chat, so it may be something in that one alone");
  await shop.handIn("another", chat(3));
  await shop.delivered(2, 60_000);
}, 90_000);

it("that is mended between a message and its witness costs that one its place, and nobody's name", async (test) => {
  const shop = await open(test);
  const { backend } = shop;
  backend.answerTo = (text) => (text === textOf("one") ? answer("404 Not Found") : TAKEN);
  await shop.handIn("one", chat(1));
  await until("it has failed", () => backend.posts.length > 0);
  await shop.handIn("two", chat(1));
  await shop.handIn("three", chat(1));
  backend.answerTo = (text) => {
    if (text === textOf("two")) backend.answerTo = () => TAKEN;
    return text === textOf("one") ? answer("404 Not Found") : TAKEN;
  };
  await shop.delivered(3, 60_000);
  expect(backend.taken).toEqual(["two", "one", "three"].map(textOf));
  expect((await shop.health()).messages).toMatchObject({ detached: 0 });
  expect((await shop.wholeLog()).filter(({ detached }) => detached)).toEqual([]);
}, 90_000);

describe.concurrent("a redirect", () => {
  it.for([
    {
      location: `Location: ${INBOUND_PATH}/`,
      said: /it leads to 127[^ ]*\/inbound\/, the same with a slash at its end: set HOTBAGS_INBOUND_PATH/,
    },
    {
      location: `Location: https://www.shop.example${INBOUND_PATH}?token=secret`,
      said: /leads to www\.shop\.example\/api[^?]*, another host/,
    },
    { location: "Location: /login?secret=1", said: /leads to 127[^ ]*\/login, another page/ },
  ])("is told with where it leads: $location", async ({ location, said }, test) => {
    const shop = await open(test);
    const bytes = answer("308 Permanent Redirect", [location]);
    const { problems } = await allGet(shop, bytes, () => shop.alarmAbout(({ fault }) => fault === "address"));
    expect(problems.join()).toMatch(said);
    expect(JSON.stringify([problems, shop.lines])).not.toContain("secret");
  });

  it("to a slash is mended by HOTBAGS_INBOUND_PATH", async (test) => {
    const shop = await open(test, () => ({ HOTBAGS_INBOUND_PATH: `${INBOUND_PATH}/` }));
    const { backend } = shop;
    backend.answerTo = (_text, { path }) => (path?.endsWith("/") ? TAKEN : answer("308", [`Location: ${path}/`]));
    await shop.handIn("A", chat(1));
    await shop.delivered(1);
    expect(backend.posts.map(({ path }) => path)).toEqual([`${INBOUND_PATH}/`]);
  });
});

it("a login before Hot Bags is passed by a header from a file, which nobody sees", async (test) => {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-headers-"));
  test.onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "headers");
  writeFileSync(file, "# Vercel\nx-vercel-protection-bypass: the-secret-of-the-file\n", { mode: 0o600 });
  const login = answer("401 Unauthorized", ["Set-Cookie: _vercel_sso_nonce=x"]);
  const shop = await open(test, () => ({ HOTBAGS_EXTRA_HEADERS_FILE: file, BRIDGE_LOG_LEVEL: "debug" }));
  const { backend } = shop;
  backend.answerTo = (_text, { headers }) =>
    headers["x-vercel-protection-bypass"] === "the-secret-of-the-file" ? TAKEN : login;
  await shop.handIn("A", chat(1));
  await shop.delivered(1);
  expect(backend.posts).toHaveLength(1);
  const health = await shop.health();
  expect(JSON.stringify([health, await shop.wholeLog()])).not.toContain("the-secret-of-the-file");
});

describe.concurrent("a message that takes its time", () => {
  it("waits in its place while its first request still runs (409), and is taken before those behind it", async (test) => {
    const shop = await open(test);
    const { backend } = shop;
    let first = 0;
    backend.answerTo = (text) =>
      text === textOf("one") && first++ < 3 ? answer("409 Conflict", ["Retry-After: 0"]) : TAKEN;
    for (const id of ["one", "two", "three"]) await shop.handIn(id, chat(1));
    await shop.handIn("other", chat(2));
    await shop.delivered(4);
    expect(backend.taken.filter((text) => text !== textOf("other"))).toEqual(["one", "two", "three"].map(textOf));
    expect(backend.posts).toHaveLength(7);
    expect(shop.alarms).toEqual([]);
  });

  it("holds its own chat only", async (test) => {
    const shop = await open(test, () => ({ HOTBAGS_TIMEOUT: "3600" }));
    const { backend } = shop;
    backend.answerTo = (text) => (text === textOf("slow") ? "hang" : TAKEN);
    await shop.handIn("slow", chat(1));
    await shop.handIn("behind", chat(1));
    for (let n = 0; n < 50; n++) await shop.handIn(`other-${n}`, chat(2 + (n % 5)));
    await shop.delivered(50);
    expect(backend.postsOf(textOf("slow"))).toHaveLength(1);
    expect(backend.postsOf(textOf("behind"))).toHaveLength(0);
    expect(await shop.health()).toMatchObject({ hotbags: { reachable: true, last_failure: null } });
  });

  it("makes nobody who was not heard yet wait for a probe, while few have failed", async (test) => {
    const shop = await open(test);
    const { backend } = shop;
    backend.answerTo = (text) => (text.startsWith(textOf("bad")) ? answer("500 Internal Server Error") : TAKEN);
    await shop.handIn("bad-1", chat(1));
    await shop.handIn("bad-2", chat(2));
    // Each probe that fails makes the next one wait twice as long.
    await until("probes are rare", () => backend.posts.length >= 6, 30_000);
    expect((await shop.health()).hotbags.reachable).toBe(false);
    const before = backend.posts.length;
    await shop.handIn("new", chat(3));
    await shop.delivered(1);
    expect(backend.posts[before]?.text).toBe(textOf("new"));
  }, 60_000);
});

it("NUL and half a pair of surrogates never reach a backend, which would fail with them for ever", async (test) => {
  const shop = await open(test);
  await shop.handIn("A", chat(1), { text: "a\0b \ud83d", raw: { SenderName: "An\0na" } });
  await shop.delivered(1);
  const { body } = shop.backend.posts[0] ?? { body: "" };
  expect(body).not.toMatch(/\\u0000|\\ud[89a-f]/);
  expect(JSON.parse(body)).toMatchObject({ text: "a\ufffdb \ufffd", raw: { SenderName: "An\ufffdna" } });
});
