import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { INBOUND_PATH } from "../../shared/src/index.ts";
import { RULES } from "../../sidecar/src/relay/rules.ts";
import { freePort } from "../hotbags/port.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import { answer, type Bytes, RawBackend, TAKEN } from "./raw-backend.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// What operators of such bridges have met, byte for byte, on the real sidecar: whose fault it takes each answer for.

const BEARER = "bearer-of-the-rules-test";
const JSON_TYPE = "Content-Type: application/json";
const VERCEL = "Server: Vercel";

/** Of each rule, what was seen in the wild. */
const EXAMPLES: Record<string, Record<string, Bytes>> = {
  continue: { "an unasked 100": `HTTP/1.1 100 Continue\r\n\r\n${TAKEN}` },
  timeout: { "no answer": "hang" },
  broken: {
    "a cut connection": "cut",
    "half an answer": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
    "no HTTP": "SSH-2.0-OpenSSH_9.6\r\n",
  },
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
const WITHOUT_BYTES = ["tls", "unreachable", "file"];

const examples = Object.entries(EXAMPLES).flatMap(([rule, all]) =>
  Object.entries(all).map(([what, bytes]) => ({ rule, what, bytes })),
);

interface Health {
  ok: boolean;
  problems: string[];
  hotbags: { reachable: boolean; last_success_at: string | null; last_failure: string | null };
  messages: { pending: number; delivered: number; detached: number; dead: number };
}

let backend: RawBackend;
let sidecar: BuiltSidecar | undefined;
let plugin: ScriptedPlugin | undefined;

beforeEach(async () => {
  backend = await new RawBackend().start();
});
afterEach(async () => {
  plugin?.socket.terminate();
  plugin = undefined;
  await sidecar?.process.kill();
  await sidecar?.close();
  sidecar = undefined;
  await backend.stop();
});

async function start(env: Record<string, string> = {}) {
  const ours = { HOTBAGS_BASE_URL: backend.url, HOTBAGS_BEARER_TOKEN: BEARER, HOTBAGS_TIMEOUT: "2" };
  sidecar = await BuiltSidecar.start({ env: { ...ours, ...env } });
  plugin = await sidecar.connect();
}

const chat = (n: number) => `+1555000${String(1_000 + n)}`;
async function health(): Promise<Health> {
  if (!sidecar) throw new Error("there is no sidecar");
  return (await sidecar.health<Health>()).body;
}
const lines = () => sidecar?.lines ?? [];
const alarms = () => lines().filter(({ alarm }) => alarm === true);
const alarmAbout = (matches: (line: LogLine) => boolean) =>
  until("the alarm is in the log", () => lines().find((line) => line["alarm"] === true && matches(line)));

async function handIn(id: string, to: string) {
  expect(await plugin?.handIn(messageOf(id, to, { text: textOf(id) }))).toMatchObject({ type: "ack" });
}

const textOf = (id: string) => `text of ${id}`;

it("there is an example of each rule", () => {
  expect([...Object.keys(EXAMPLES), ...WITHOUT_BYTES].toSorted()).toEqual(RULES.map(({ name }) => name).toSorted());
});

describe("what one message gets while others pass", () => {
  // It would take minutes until that one steps aside.
  const impatient = examples.filter(({ rule }) => rule !== "in-progress");

  it("is that message's: it steps aside, its chat goes on, and the operator is told of it once", async () => {
    const poisoned = new Map(impatient.map(({ bytes }, n) => [textOf(`bad-${n}`), bytes]));
    backend.answerTo = (text) => poisoned.get(text) ?? TAKEN;
    await start();
    let sent = 0;
    /** One message of somebody else, which passes. */
    const other = async () => {
      sent += 1;
      await handIn(`other-${sent}`, chat(500 + (sent % 20)));
      await until("it is taken", () => backend.taken.includes(textOf(`other-${sent}`)), 60_000);
    };
    for (const n of impatient.keys()) {
      await handIn(`bad-${n}`, chat(n));
      await handIn(`good-${n}`, chat(n));
      await other();
    }
    const isOver = async () => {
      const { detached, pending } = (await health()).messages;
      return detached === impatient.length && pending === detached;
    };
    while (!(await isOver())) {
      await other();
      await after(50);
    }
    const aboutMessage = (n: number) => alarms().filter(({ message_id }) => message_id === `bad-${n}`);
    for (const [n, { rule, what }] of impatient.entries()) {
      await until(`${rule}: ${what} is told`, () => aboutMessage(n).length > 0);
      expect(aboutMessage(n), `${rule}: ${what}`).toEqual([expect.objectContaining({ rule })]);
      expect(backend.taken, `${rule}: ${what}`).toContain(textOf(`good-${n}`));
    }
    // So many that fail by themselves may meet: what is said of all is true then, and of no alarm more than once.
    for (const { alert, msg } of alarms().filter(({ message_id }) => message_id === undefined))
      expect([alert, msg]).toEqual(["hot_bags", expect.stringMatching(/and [2-9]\d* different messages have failed/)]);
    expect(JSON.stringify(lines())).not.toContain(BEARER);
  }, 150_000);
});

/** Messages of two chats that all get this: they are held; then all is well, and each chat's come in order. */
async function allGet(bytes: Bytes, firmAfter: () => Promise<unknown>) {
  backend.answerTo = () => bytes;
  const ids = (of: string) => [0, 1, 2].map((n) => `${of}${n}`);
  for (const n of [0, 1, 2]) {
    await handIn(`a${n}`, chat(1));
    await handIn(`b${n}`, chat(2));
  }
  await firmAfter();
  const found = await health();
  expect(found.messages).toMatchObject({ pending: 6, delivered: 0, detached: 0, dead: 0 });
  expect(found.hotbags).toMatchObject({ reachable: false, last_success_at: null });
  backend.answerTo = () => TAKEN;
  await until("all are taken", async () => (await health()).messages.delivered === 6, 20_000);
  for (const of of ["a", "b"])
    expect(backend.taken.filter((text) => text.startsWith(textOf(of)))).toEqual(ids(of).map(textOf));
  expect(await health()).toMatchObject({ hotbags: { reachable: true }, messages: { pending: 0 } });
  return found;
}

describe("what every message gets", () => {
  const toldAtOnce = ["page", "vercel-login", "vercel-firewall", "redirect", "token", "forbidden"];
  const firsts = [...toldAtOnce, "switched-off", "not-here", "too-large", "refused", "contract", "failure"].map(
    (rule) => examples.find((example) => example.rule === rule) as (typeof examples)[number],
  );

  it.each(firsts)("is the deployment's: $what, by the rule $rule, in one true alarm", async ({ rule, bytes }) => {
    await start();
    const { fault, alarmAtOnce } = RULES.find(({ name }) => name === rule) ?? {};
    const found = await allGet(bytes, async () => {
      await alarmAbout((line) => line["fault"] === fault || line["rule"] === rule);
      await until("it is known", async () => !(await health()).hotbags.reachable);
    });
    expect(alarms()).toEqual([expect.objectContaining(alarmAtOnce ? { rule } : { alert: "hot_bags", fault })]);
    expect(found.problems).toContainEqual(expect.stringContaining(`${backend.url}${INBOUND_PATH}`));
  });

  // The others of their rules differ in nothing that could matter here.
  it.each(examples.filter(({ what }) => ["500", "429", "a cut connection"].includes(what)))(
    "holds all, and is told when it lasts: $what, by the rule $rule",
    async ({ bytes }) => {
      await start();
      await allGet(bytes, () => until("it is known", async () => !(await health()).hotbags.reachable));
      expect(alarms()).toEqual([]);
    },
  );

  it("names what Vercel says of a deployment that is gone, and takes nobody's time", async () => {
    await start();
    const [gone] = Object.values(EXAMPLES["not-here"] ?? {});
    const { problems, hotbags } = await allGet(gone ?? "", () => alarmAbout(({ alert }) => alert === "hot_bags"));
    expect(problems.join()).toMatch(/answered 404 \(x-vercel-error: DEPLOYMENT_NOT_FOUND\) at http:\/\/127/);
    expect(hotbags.last_failure).toContain("this address is not Hot Bags");
  });

  it.each([
    ["unreachable", async () => ({ HOTBAGS_BASE_URL: `http://127.0.0.1:${await freePort()}` }), /ECONNREFUSED/],
    ["tls", async () => ({ HOTBAGS_BASE_URL: backend.url.replace("http:", "https:") }), /no encrypted connection/],
  ])("is the deployment's at the first already where there is no connection (%s)", async (_rule, changes, said) => {
    await start(await changes());
    await handIn("lone", chat(1));
    await until("it is known", async () => !(await health()).hotbags.reachable);
    expect((await health()).problems.join()).toMatch(said);
    expect((await health()).messages).toMatchObject({ pending: 1, detached: 0 });
  });
});

describe("a redirect", () => {
  it.each([
    [
      `Location: ${INBOUND_PATH}/`,
      /it leads to 127[^ ]*\/inbound\/, the same with a slash at its end: set HOTBAGS_INBOUND_PATH/,
    ],
    [
      `Location: https://www.shop.example${INBOUND_PATH}?token=secret`,
      /leads to www\.shop\.example\/api[^?]*, another host/,
    ],
    ["Location: /login?secret=1", /leads to 127[^ ]*\/login, another page/],
  ])("is told with where it leads: %s", async (location, said) => {
    await start();
    const bytes = answer("308 Permanent Redirect", [location]);
    const { problems } = await allGet(bytes, () => alarmAbout(({ fault }) => fault === "address"));
    expect(problems.join()).toMatch(said);
    expect(JSON.stringify([problems, lines()])).not.toContain("secret");
  });

  it("to a slash is mended by HOTBAGS_INBOUND_PATH", async () => {
    backend.answerTo = (_text, { path }) => (path?.endsWith("/") ? TAKEN : answer("308", [`Location: ${path}/`]));
    await start({ HOTBAGS_INBOUND_PATH: `${INBOUND_PATH}/` });
    await handIn("A", chat(1));
    await until("it is taken", async () => (await health()).messages.delivered === 1);
    expect(backend.posts.map(({ path }) => path)).toEqual([`${INBOUND_PATH}/`]);
  });
});

it("a login before Hot Bags is passed by a header from a file, which nobody sees", async () => {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-headers-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "headers");
  writeFileSync(file, "# Vercel\nx-vercel-protection-bypass: the-secret-of-the-file\n", { mode: 0o600 });
  const login = answer("401 Unauthorized", ["Set-Cookie: _vercel_sso_nonce=x"]);
  backend.answerTo = (_text, { headers }) =>
    headers["x-vercel-protection-bypass"] === "the-secret-of-the-file" ? TAKEN : login;
  await start({ HOTBAGS_EXTRA_HEADERS_FILE: file, BRIDGE_LOG_LEVEL: "debug" });
  await handIn("A", chat(1));
  await until("it is taken", async () => (await health()).messages.delivered === 1);
  expect(backend.posts).toHaveLength(1);
  expect(JSON.stringify([lines(), await health()])).not.toContain("the-secret-of-the-file");
});

describe("a message that takes its time", () => {
  it("waits in its place while its first request still runs (409), and is then taken before those behind it", async () => {
    let first = 0;
    backend.answerTo = (text) =>
      text === textOf("one") && first++ < 3 ? answer("409 Conflict", ["Retry-After: 0"]) : TAKEN;
    await start();
    for (const id of ["one", "two", "three"]) await handIn(id, chat(1));
    await handIn("other", chat(2));
    await until("all are taken", async () => (await health()).messages.delivered === 4, 20_000);
    expect(backend.taken.filter((text) => text !== textOf("other"))).toEqual(["one", "two", "three"].map(textOf));
    expect(backend.posts).toHaveLength(7);
    expect(alarms()).toEqual([]);
  });

  it("holds its own chat only", async () => {
    backend.answerTo = (text) => (text === textOf("slow") ? "hang" : TAKEN);
    await start({ HOTBAGS_TIMEOUT: "3600" });
    await handIn("slow", chat(1));
    await handIn("behind", chat(1));
    for (let n = 0; n < 50; n++) await handIn(`other-${n}`, chat(2 + (n % 5)));
    await until("the others are taken", async () => (await health()).messages.delivered === 50);
    expect(backend.postsOf(textOf("slow"))).toHaveLength(1);
    expect(backend.postsOf(textOf("behind"))).toHaveLength(0);
    expect(await health()).toMatchObject({ hotbags: { reachable: true, last_failure: null } });
  });
});

it("while few have failed, somebody who was not heard yet does not wait for a probe", async () => {
  backend.answerTo = (text) => (text.startsWith("text of bad") ? answer("500 Internal Server Error") : TAKEN);
  await start();
  await handIn("bad-1", chat(1));
  await handIn("bad-2", chat(2));
  // Each probe that fails makes the next one wait twice as long.
  await until("probes are rare", () => backend.posts.length >= 6, 30_000);
  expect((await health()).hotbags.reachable).toBe(false);
  const before = backend.posts.length;
  await handIn("new", chat(3));
  await until("it is taken", async () => (await health()).messages.delivered === 1);
  expect(backend.posts[before]?.text).toBe(textOf("new"));
}, 60_000);

it("NUL and half a pair of surrogates never reach a backend, which would fail with them for ever", async () => {
  await start();
  const message = messageOf("A", chat(1), { text: "a\0b \ud83d", raw: { SenderName: "An\0na" } });
  expect(await plugin?.handIn(message)).toMatchObject({ type: "ack" });
  await until("it is taken", async () => (await health()).messages.delivered === 1);
  const { body } = backend.posts[0] ?? { body: "" };
  expect(body).not.toMatch(/\\u0000|\\ud[89a-f]/);
  expect(JSON.parse(body)).toMatchObject({ text: "a\ufffdb \ufffd", raw: { SenderName: "An\ufffdna" } });
});
