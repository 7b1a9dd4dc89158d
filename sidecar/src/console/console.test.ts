import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, messageOf } from "../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { until } from "../../../test/until.ts";
import { OperatorApi } from "../operator/api.ts";
import type { ApiParts, Running } from "../operator/running.ts";
import { API_PREFIX, ROUTES } from "../operator/schemas.ts";
import { IDLE_MS, LINK_MS, MAX_SESSIONS, openStore, type Role, SESSION_MS, type Store } from "../store/index.ts";
import { Console, type ConsoleSettings } from "./console.ts";

let dir: string;
let clock: SimulatedClock;
let store: Store;
let door: Console;
let lines: string[];
/** What `event: health` tells. */
let health: object;
let listeners: number;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-console-"));
  clock = new SimulatedClock();
  lines = [];
  health = { answered: "yes" };
  listeners = 0;
  store = openStore(dir, clock);
  door = await open();
});
afterEach(async () => {
  await door.stop();
  store.close();
  rmSync(dir, { recursive: true });
});

/** What a whole sidecar answers from, and is not asked for here. */
const unused: Omit<ApiParts, "running"> = {
  reads: {} as ApiParts["reads"],
  pausedChats: () => [],
  alerts: () => ({ open: [], past: [] }),
  status: notAsked,
  path: notAsked,
  figures: notAsked,
};

function notAsked(): never {
  throw new Error("nobody asks for it here");
}

async function open(changes: Partial<ConsoleSettings> = {}): Promise<Console> {
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const address = { host: "127.0.0.1", port: 0 };
  const opened = new Console({
    ...{ address, origin: null, readOnly: false, ...changes },
    ...{ folder: join(dir, "page"), access: store.console, log },
  });
  const api = new OperatorApi({
    ...unused,
    reads: store.operator,
    // Of what a whole sidecar has, only what is asked for here.
    running: { store: store.operator, onRetry: () => {}, console: opened } as unknown as Running,
  });
  opened.start(
    api,
    (listener) => {
      const stop = store.onChange(listener);
      listeners += 1;
      return () => {
        listeners -= 1;
        stop();
      };
    },
    async () => health,
  );
  await until("it listens", () => opened.port !== null);
  return opened;
}

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
  /** Of JSON. */
  said: Record<string, unknown>;
}

const own = () => `http://127.0.0.1:${door.port}`;

/** As the console's page asks, unless `headers` say otherwise; undefined leaves one out. */
async function ask(
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string | undefined>; body?: unknown } = {},
): Promise<Answer> {
  const usual = method === "GET" ? {} : { origin: own(), "x-hotbags-console": "1", "content-type": "application/json" };
  const given = Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== undefined);
  const options: RequestOptions = {
    host: "127.0.0.1",
    port: door.port,
    method,
    path,
    agent: false,
    headers: Object.fromEntries(given),
  };
  const call = request(options).end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const read = await text(response);
  const isJson = response.headers["content-type"]?.startsWith("application/json");
  return {
    ...{ status: response.statusCode ?? 0, headers: response.headers, body: read },
    said: isJson ? JSON.parse(read) : {},
  };
}

const tokenOf = async (role: Role = "act", user = "anna") =>
  (await door.makeLink(user, role, "root")).url.split("#login=")[1] ?? "";

const logInWith = (token: unknown, headers = {}) => ask("POST", "/api/session", { headers, body: { token } });

/** Resolves with the cookie, as a browser sends it. */
async function loggedIn(role: Role = "act", user = "anna"): Promise<string> {
  const { headers } = await logInWith(await tokenOf(role, user));
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

describe("a link", () => {
  it("is good for one login, whose cookie no script sees and no other site sends", async () => {
    const token = await tokenOf("look");
    const first = await logInWith(token);
    expect([first.status, first.said]).toEqual([
      200,
      { user: "anna", role: "look", read_only: false, expires_at: new Date(clock.now() + IDLE_MS).toISOString() },
    ]);
    const cookie = first.headers["set-cookie"]?.[0] ?? "";
    expect(cookie).toMatch(/^hotbags_console=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/);
    const again = await logInWith(token);
    expect([again.status, again.headers["set-cookie"]]).toEqual([401, undefined]);
    const who = await ask("GET", "/api/session", { headers: { cookie: cookie.split(";")[0] } });
    expect(who.said).toEqual(first.said);
  });

  it("is good for one login also where two come at once", async () => {
    const token = await tokenOf();
    const both = await Promise.all([logInWith(token), logInWith(token)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    expect(store.console.sessions()).toHaveLength(1);
  });

  it("is good for ten minutes, also where the clock is set back", async () => {
    const [late, later] = [await tokenOf(), await tokenOf()];
    clock.advance(LINK_MS - 1);
    expect((await logInWith(late)).status).toBe(200);
    clock.jump(-LINK_MS);
    clock.advance(1);
    expect((await logInWith(later)).status).toBe(401);
  });

  it("that is none lets nobody in", async () => {
    await tokenOf();
    for (const none of [undefined, null, 1, "", "x".repeat(43), "é".repeat(43), {}])
      expect((await logInWith(none)).status).toBe(401);
  });

  it("that is wrong too often is refused without a look, while a right one still comes in", async () => {
    const wrong = async () => (await logInWith("x".repeat(43))).status;
    for (let n = 0; n < 10; n += 1) expect(await wrong()).toBe(401);
    const refused = await logInWith("x".repeat(43));
    expect([refused.status, Number(refused.headers["retry-after"]) > 0]).toEqual([429, true]);
    expect((await logInWith(await tokenOf())).status).toBe(200);
  });

  it("is in no file, nor is the cookie: only their hashes are", async () => {
    const cookie = (await loggedIn()).split("=")[1] ?? "";
    const unused = await tokenOf();
    const stored = JSON.stringify([store.console.links(), store.console.sessions()]) + lines.join("");
    expect(cookie).toHaveLength(43);
    for (const secret of [cookie, unused]) expect(stored).not.toContain(secret);
  });
});

describe("a session", () => {
  it("outlives a restart, and ends when nobody uses it, or after a week", async () => {
    const cookie = await loggedIn();
    const status = async () => (await ask("GET", "/api/session", { headers: { cookie } })).status;
    await door.stop();
    store.close();
    store = openStore(dir, clock);
    door = await open();
    for (let used = 0; used + IDLE_MS < SESSION_MS; used += IDLE_MS - 1) {
      expect(await status()).toBe(200);
      // That it was used is on disk.
      await until("it is seen", () => store.console.sessions()[0]?.seen_at === clock.now());
      clock.advance(IDLE_MS - 1);
    }
    clock.advance(IDLE_MS);
    expect(await status()).toBe(401);
    const other = await loggedIn();
    clock.advance(IDLE_MS);
    expect((await ask("GET", "/api/session", { headers: { cookie: other } })).status).toBe(401);
  });

  it("is another one after a login: a cookie that was put there before opens nothing", async () => {
    const planted = await loggedIn("look", "mallory");
    const login = await logInWith(await tokenOf("act", "anna"), { cookie: planted });
    const cookie = login.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    expect(cookie).not.toBe(planted);
    expect((await ask("GET", "/api/session", { headers: { cookie: planted } })).status).toBe(401);
    expect((await ask("GET", "/api/session", { headers: { cookie } })).said).toMatchObject({ user: "anna" });
  });

  it("is ended by its own, by another who may act, and not by one who may only look", async () => {
    const [anna, ben, guest] = [await loggedIn("act"), await loggedIn("act", "ben"), await loggedIn("look", "guest")];
    const { said } = await ask("GET", "/api/sessions", { headers: { cookie: anna } });
    const sessions = said["sessions"] as { id: number; user: string; is_this: boolean }[];
    expect(sessions.find(({ is_this: isThis }) => isThis)).toMatchObject({ user: "anna" });
    const bens = sessions.find(({ user }) => user === "ben")?.id;
    const end = (cookie: string) => ask("DELETE", `/api/sessions/${bens}`, { headers: { cookie } });
    expect((await end(guest)).status).toBe(403);
    expect((await end(anna)).status).toBe(200);
    expect((await end(anna)).status).toBe(404);
    expect((await ask("GET", "/api/session", { headers: { cookie: ben } })).status).toBe(401);
    const out = await ask("DELETE", "/api/session", { headers: { cookie: guest } });
    expect([out.status, out.headers["set-cookie"]?.[0]]).toEqual([200, expect.stringContaining("Max-Age=0")]);
    expect((await ask("GET", "/api/session", { headers: { cookie: guest } })).status).toBe(401);
    const audited = (await store.operator.audit(null, 3)).map(({ who, action, subject }) => [who, action, subject]);
    expect(audited).toEqual([
      ["guest", "end a console session", expect.any(Number)],
      ["anna", "end a console session", bens],
      ["guest", "log in to the console", expect.any(Number)],
    ]);
  });

  it("makes room for others when there are too many: the one that was used last the longest ago", async () => {
    const first = await loggedIn();
    for (let n = 0; n < MAX_SESSIONS; n += 1) {
      clock.advance(1);
      await loggedIn();
    }
    expect(store.console.sessions()).toHaveLength(MAX_SESSIONS);
    expect((await ask("GET", "/api/session", { headers: { cookie: first } })).status).toBe(401);
  });
});

/** What the browser's own page sends, with one thing that no page of the console has. */
const FOREIGN: [string, number, Record<string, string | undefined>][] = [
  ["a name that was made to point here", 421, { host: "evil.example" }],
  ["a name that only begins as this machine's", 421, { host: "127.0.0.1.evil.example" }],
  ["a name with more behind it", 421, { host: "127.0.0.1#evil.example" }],
  ["a user before the name", 421, { host: "127.0.0.1@evil.example" }],
  ["the origin of another page", 403, { origin: "https://evil.example" }],
  ["the origin of another port of this machine", 403, { origin: "http://127.0.0.1:3000" }],
  ["an origin that nobody may know", 403, { origin: "null" }],
  ["word of its browser that it comes from another site", 403, { "sec-fetch-site": "cross-site" }],
  ["word of its browser that it comes from another port", 403, { "sec-fetch-site": "same-site" }],
];

describe("a request with", () => {
  it.each(FOREIGN)("%s is refused with %i, whatever it asks for", async (_what, status, headers) => {
    const cookie = await loggedIn();
    const seq = await deadLetter();
    const read = await ask("GET", "/api/v1/messages", { headers: { cookie, ...headers } });
    const changed = await ask("POST", "/api/v1/messages/retry", {
      headers: { cookie, ...headers },
      body: { ids: [seq] },
    });
    const login = await logInWith(await tokenOf(), headers);
    expect([read.status, changed.status, login.status]).toEqual([status, status, status]);
    expect(store.counters.read().dead).toBe(1);
  });

  it.each([{ "x-hotbags-console": undefined }, { origin: undefined }])(
    "nothing that a form could not send (%j) changes nothing",
    async (headers) => {
      const cookie = await loggedIn();
      const seq = await deadLetter();
      const asked = { headers: { cookie, ...headers }, body: { ids: [seq] } };
      expect((await ask("POST", "/api/v1/messages/retry", asked)).status).toBe(403);
      expect((await ask("DELETE", "/api/session", asked)).status).toBe(403);
      expect(store.counters.read().dead).toBe(1);
    },
  );

  it.each(["127.0.0.1:9000", "localhost:9000", "[::1]:9000", "LOCALHOST"])(
    "the host %s has come through a tunnel",
    async (host) => {
      const origin = `http://${host.toLowerCase()}`;
      expect((await logInWith(await tokenOf(), { host, origin })).status).toBe(200);
    },
  );

  it("the name of a reverse proxy comes in where that is set, with a cookie for https alone", async () => {
    await door.stop();
    door = await open({ origin: new URL("https://console.shop.example") });
    const link = await door.makeLink("anna", "look", "root");
    expect(link.url).toMatch(/^https:\/\/console\.shop\.example\/#login=/);
    const proxied = { host: "console.shop.example", origin: "https://console.shop.example" };
    const { status, headers } = await logInWith(link.url.split("#login=")[1], proxied);
    expect([status, headers["set-cookie"]?.[0]]).toEqual([200, expect.stringMatching(/; Secure$/)]);
    const others = { host: "console.shop.example.evil.example", origin: proxied.origin };
    expect((await logInWith(await tokenOf(), others)).status).toBe(421);
  });
});

async function deadLetter(): Promise<number> {
  const { seq } = await store.messages.accept(messageOf("A"));
  await store.messages.dead(seq, 422, "refused", 10);
  return seq;
}

describe("whoever may only look", () => {
  it("may not change anything, by any route that there is", async () => {
    const cookie = await loggedIn("look");
    const answered: [string, number][] = [];
    const expected: [string, number][] = [];
    for (const [name, route] of Object.entries(ROUTES).filter(([, { method }]) => method === "POST")) {
      const path = `${API_PREFIX}${route.path.replace(":id", "1")}`;
      answered.push([name, (await ask("POST", path, { headers: { cookie }, body: {} })).status]);
      expected.push([name, "only" in route ? 404 : 403]);
    }
    expect(answered).toEqual(expected);
    expect(answered.length).toBeGreaterThan(10);
  });

  it("sees lists, in which no customer's number is whole", async () => {
    await deadLetter();
    const { said, body } = await ask("GET", "/api/v1/messages", { headers: { cookie: await loggedIn("look") } });
    expect(said).toMatchObject({ messages: [{ state: "dead", chat_id: "+1555…01" }] });
    expect(body).not.toContain(ANNA);
  });
});

it("whoever may act may change something, in their own name, unless the console is read-only", async () => {
  const seq = await deadLetter();
  const cookie = await loggedIn("act", "anna");
  const retry = () => ask("POST", "/api/v1/messages/retry", { headers: { cookie }, body: { ids: [seq] } });
  await door.stop();
  door = await open({ readOnly: true });
  expect([(await retry()).status, store.counters.read().dead]).toEqual([403, 1]);
  const shown = await ask("GET", "/api/session", { headers: { cookie } });
  expect(shown.said).toMatchObject({ role: "look", read_only: true });
  await door.stop();
  door = await open();
  expect((await retry()).said).toMatchObject({ results: [{ id: seq, done: true }] });
  expect((await store.operator.audit(null, 1))[0]).toMatchObject({ who: "anna", action: "retry", result: "done" });
});

it("what is for the socket alone is not there, for whoever may act either", async () => {
  const cookie = await loggedIn("act");
  const only = Object.values(ROUTES).filter((route) => "only" in route);
  const answered = [];
  for (const { method, path } of only) {
    const body = method === "POST" ? { role: "act" } : undefined;
    const asked = await ask(method, `${API_PREFIX}${path.replace(":id", "1")}`, { headers: { cookie }, body });
    answered.push(asked.status);
  }
  expect(answered).toEqual(only.map(() => 404));
  expect(only.length).toBeGreaterThan(3);
});

it("where it is switched off, whoever asks for a link is told how to switch it on", async () => {
  const running = { store: store.operator, console: null } as unknown as Running;
  const api = new OperatorApi({ ...unused, running });
  await expect(api.answer("makeConsoleLink", { role: "act" }, 0, "root")).rejects.toMatchObject({
    status: 409,
    message: expect.stringContaining("BRIDGE_CONSOLE=127.0.0.1:18791"),
  });
});

it("without a session nothing is told, not even what there is", async () => {
  for (const path of ["session", "sessions", "events", "v1/messages", "v1/nothing", "nothing"]) {
    const { status, said, headers } = await ask("GET", `/api/${path}`);
    expect([path, status, said["error"], headers["cache-control"]]).toEqual([
      path,
      401,
      expect.any(String),
      "no-store",
    ]);
  }
});

describe("the page", () => {
  const SCRIPT = "console.log(1);".repeat(100);

  const build = () => {
    mkdirSync(join(dir, "page/assets"), { recursive: true });
    writeFileSync(join(dir, "page/index.html"), "<!doctype html><title>console</title>");
    writeFileSync(join(dir, "page/assets/app-0123abcd.js"), SCRIPT);
    writeFileSync(join(dir, "page/assets/app-0123abcd.js.gz"), gzipSync(SCRIPT));
    writeFileSync(join(dir, "page/assets/app-0123abcd.js.br"), "as brotli");
  };

  it("says so while it was not built, and is there once it was", async () => {
    const before = await ask("GET", "/");
    expect([before.status, before.body]).toEqual([503, expect.stringContaining("npm run build")]);
    build();
    const after = await ask("GET", "/");
    expect([after.status, after.body, after.headers["cache-control"]]).toEqual([
      200,
      expect.stringContaining("<title>"),
      "no-cache",
    ]);
  });

  it("may run nothing but its own scripts, and stand in no other page", async () => {
    build();
    const { headers } = await ask("GET", "/");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  it.each([
    ["br, gzip", "br", "as brotli"],
    ["gzip, br;q=0", "gzip", undefined],
    ["gzip;q=0.5", "gzip", undefined],
    ["identity", undefined, SCRIPT],
    [undefined, undefined, SCRIPT],
  ])("gives its hashed parts once and for all, for accept-encoding %s as %s", async (accepted, encoding, body) => {
    build();
    const answer = await ask("GET", "/assets/app-0123abcd.js", { headers: { "accept-encoding": accepted } });
    expect(answer.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
      vary: "accept-encoding",
    });
    expect(answer.headers["content-encoding"]).toBe(encoding);
    if (body !== undefined) expect(answer.body).toBe(body);
  });

  it("is all that there is: no path leads anywhere else", async () => {
    build();
    const paths = [
      ...[
        "/../bridge.sqlite",
        "/..%2fbridge.sqlite",
        "/assets/../../bridge.sqlite",
        "/assets/%2e%2e/%2e%2e/bridge.sqlite",
      ],
      ...["/..\\bridge.sqlite", "/assets/app-0123abcd.js.gz", "//etc/passwd", "/%00", "/__proto__"],
    ];
    for (const path of paths) {
      expect([path, (await ask("GET", path)).status]).toEqual([path, 404]);
      expect([path, (await ask("POST", path)).status]).toEqual([path, 405]);
    }
  });
});

/** Opens the events as a page does. */
async function follow(cookie: string) {
  const call = request({
    host: "127.0.0.1",
    port: door.port,
    path: "/api/events",
    agent: false,
    headers: { cookie },
  }).end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const page = { text: "", isOver: false, status: response.statusCode, close: () => response.destroy() };
  response.setEncoding("utf8").on("data", (data: string) => {
    page.text += data;
  });
  response.on("error", () => {});
  response.on("close", () => {
    page.isOver = true;
  });
  return page;
}

describe("an open page", () => {
  it("is told how it is and what happens, masked, and nothing is listened to once it is closed", async () => {
    expect(listeners).toBe(0);
    const page = await follow(await loggedIn("look"));
    await until("it knows how it is", () => page.text.includes('event: health\ndata: {"answered":"yes"}\n\n'));
    await store.messages.accept(messageOf("A"));
    await until("it has heard", () => page.text.includes('"what":"accepted"'));
    expect(page.text).toMatch(/event: change\ndata: \{.*"chat":"\+1555…01".*\}\n\n/);
    expect(page.text).not.toContain(ANNA);
    health = { answered: "no" };
    await until("it knows", () => page.text.includes('event: health\ndata: {"answered":"no"}\n\n'));
    expect(listeners).toBe(1);
    page.close();
    await until("nobody listens", () => listeners === 0);
  });

  it("is one of twenty, which listen as one", async () => {
    const cookie = await loggedIn("look");
    const pages = await Promise.all(Array.from({ length: 20 }, () => follow(cookie)));
    await store.messages.accept(messageOf("A"));
    await until("all have heard", () => pages.every((page) => page.text.includes('"what":"accepted"')));
    expect(listeners).toBe(1);
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(200);
  });

  it("hears nothing more once its session is ended, wherever that was done", async () => {
    const cookie = await loggedIn("look");
    const page = await follow(cookie);
    const other = await follow(await loggedIn("look", "ben"));
    const mine = store.console.sessions().find(({ user }) => user === "anna");
    await door.endSession(mine?.id ?? 0, "root");
    await until("it is over", () => page.isOver);
    expect((await follow(cookie)).status).toBe(401);
    await store.messages.accept(messageOf("A"));
    await until("the other hears on", () => other.text.includes('"what":"accepted"'));
    expect(page.text).not.toContain("accepted");
    const again = await follow(await loggedIn("look"));
    await door.stop();
    await until("all are over", () => again.isOver && other.isOver);
  });
});

/** Says this on a connection of its own, and resolves with all that is answered. */
async function says(what: string): Promise<string> {
  const client = connect({ port: door.port ?? 0, host: "127.0.0.1" });
  client.on("error", () => {});
  let heard = "";
  client.on("data", (data) => {
    heard += String(data);
  });
  client.write(what);
  await once(client, "close");
  return heard;
}

describe("whoever means no good", () => {
  it("gets no more than 431 for headers without an end", async () => {
    expect(await says(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${"x".repeat(20_000)}`)).toMatch(/^HTTP\/1.1 431 /);
  });

  it("gets no more than 413 for a body without an end, and is cut off", async () => {
    const head = `Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nX-Hotbags-Console: 1\r\nContent-Length: 10000000`;
    const answer = await says(`POST /api/session HTTP/1.1\r\n${head}\r\n\r\n${"x".repeat(200_000)}`);
    // Whoever is cut off while they write may lose what they were told.
    expect(answer).toMatch(/^(HTTP\/1.1 413 |$)/);
  });

  it("is answered before the body is read where nothing could come of it, and cut off", async () => {
    const head = `Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nX-Hotbags-Console: 1\r\nContent-Length: 10000000`;
    expect(await says(`POST /api/v1/messages/retry HTTP/1.1\r\n${head}\r\n\r\n{`)).toMatch(/^HTTP\/1.1 401 /);
  });

  it("does not keep an open page from hearing, or another from coming in, with connections that say nothing", async () => {
    const cookie = await loggedIn("look");
    const page = await follow(cookie);
    const silent = Array.from({ length: 300 }, () => connect({ port: door.port ?? 0, host: "127.0.0.1" }));
    for (const client of silent) client.on("error", () => {}).write("GET / HT");
    await Promise.all(silent.map((client) => once(client, "connect")));
    expect((await ask("GET", "/api/session", { headers: { cookie } })).status).toBe(200);
    await store.messages.accept(messageOf("A"));
    await until("it has heard", () => page.text.includes('"what":"accepted"'));
    for (const client of silent) client.destroy();
  });

  it("with a link for a name of hostile words shows them as they are, in JSON alone", async () => {
    const name = `</script><img src=x onerror=alert(1)>\u202e"'`;
    const { said, headers } = await logInWith(await tokenOf("look", name));
    expect([said["user"], headers["content-type"]]).toEqual([name, "application/json"]);
  });
});
