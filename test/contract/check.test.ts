import { createHmac, randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { EVENTS_PATH, REPORTS_PATH } from "../../shared/src/report.ts";
import { NO_EXTRAS } from "../../sidecar/src/commands/index.ts";
import type { BackendUnderTest } from "../../sidecar/src/contract/backend.ts";
import { CHECKS, checkContract } from "../../sidecar/src/contract/check/run.ts";
import { type AnswerScript, type Command, type HotBags, INBOUND_PATH, startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { startFront, type Wrong } from "./front.ts";

// Each of them is a whole run of the check.
vi.setConfig({ testTimeout: 90_000 });

// `hotbags contract check` finds what is wrong with a backend, names exactly that, and finds nothing in a right one.

const TOKEN = "bearer-of-the-test";
const SECRET = "secret-of-the-test";
const WEBHOOK_SECRET = `whsec_${btoa("webhook-secret-of-the-test")}`;
const NOTHING = { token: null, hmacSecret: null, webhookSecret: null };

const answerOf: AnswerScript = ({ message_id }) => [
  { command_id: `for-${message_id}`, type: "send_text", text: "Hello" },
];

let hotbags: HotBags;
beforeAll(async () => {
  hotbags = await startHotBags({ token: TOKEN, hmacSecret: SECRET, webhookSecret: WEBHOOK_SECRET });
  hotbags.answers(answerOf);
});
afterAll(() => hotbags.close());

const target = (url: string, more: Partial<BackendUnderTest> = {}): BackendUnderTest => ({
  ...{
    url: new URL(url + INBOUND_PATH),
    reportsUrl: new URL(url + REPORTS_PATH),
    eventsUrl: new URL(url + EVENTS_PATH),
    token: TOKEN,
    hmacSecret: SECRET,
    extraHeaders: {},
    timeoutMs: 60_000,
  },
  accepts: NO_EXTRAS,
  ...{ webhookSecret: WEBHOOK_SECRET, previous: { ...NOTHING, token: "the former token" } },
  ...more,
});

async function check(url: string, slowMs = 60_000, more: Partial<BackendUnderTest> = {}) {
  const report = await checkContract(target(url, more), { slowMs });
  const named = (status: string) => report.checks.filter((one) => one.status === status).map(({ name }) => name);
  return { report, failed: named("failed"), skipped: named("skipped") };
}

async function checkBehind(wrong: Wrong, slowMs?: number) {
  await using front = await startFront(hotbags.url, wrong);
  return await check(front.url, slowMs);
}

const commands = (...ids: string[]) =>
  JSON.stringify({ commands: ids.map((command_id) => ({ command_id, type: "send_text", text: "Hello" })) });

describe("a backend that does all right", () => {
  it("passes every check, and is asked for nothing that breaks the contract but what a check is about", async () => {
    await using right = await startHotBags({ token: TOKEN, hmacSecret: SECRET, webhookSecret: WEBHOOK_SECRET });
    right.answers(answerOf);
    const { report, failed, skipped } = await check(right.url);
    expect({ failed, skipped }).toEqual({ failed: [], skipped: [] });
    expect(report.checks.map(({ name }) => name)).toEqual(CHECKS.map(({ name }) => name));
    expect(report.checks.filter(({ name }) => name.startsWith("kind-"))).toHaveLength(33);
    const breaches = right.violations.splice(0).map((breach) => breach.replace(/^CHECK-[0-9a-f]+-/, ""));
    expect(
      breaches.filter(
        (breach) =>
          !/^(bearer-[01]|unsigned|forged-[012]|webhook-[0-6]|former-1|other-body): |^report [^:]*: (Authorization|X-HotBags-Signature|webhook-id, .*) is missing/.test(
            breach,
          ),
      ),
    ).toEqual([]);
    expect(report.leftBehind).toMatchObject({ messages: right.accepted.length, perhaps: 0 });
    const strangers = right.accepted.filter(
      ({ message_id, chat_id }) =>
        !message_id.startsWith(report.leftBehind.keysBegin) || !report.leftBehind.chats.includes(chat_id),
    );
    expect(strangers).toEqual([]);
    for (const { text } of right.accepted) expect(text).toMatch(/^$|^\[contract check: a test/);
    expect(JSON.stringify(report)).not.toMatch(new RegExp(`${TOKEN}|${SECRET}|${WEBHOOK_SECRET}|the former token`));
  });

  it("may compress its answers, and answer 409 while it works on a key", async () => {
    const { failed, skipped } = await checkBehind(({ name, headers, before }) => {
      if (name === "at-once" && before > 0 && before < 20) return { status: 409 };
      if (!headers["accept-encoding"]?.includes("gzip")) return undefined;
      return { status: 200, headers: { "content-encoding": "gzip" }, body: gzipSync(commands(randomUUID())) };
    });
    expect({ failed, skipped }).toEqual({ failed: [], skipped: [] });
  });

  it.each([
    ["refuses every HEAD", { status: 405 }],
    ["answers a HEAD whoever asks", { status: 200 }],
  ])("%s: then the ping proves nothing", async (_, instead) => {
    const { report, failed, skipped } = await checkBehind(({ name }) => (name === "ping" ? instead : undefined));
    expect({ failed, skipped }).toEqual({ failed: [], skipped: ["ping"] });
    expect(report.checks.find(({ name }) => name === "ping")?.seen).toContain("hotbags doctor can't tell");
  });

  it("may do without signatures, former secrets and reports: those checks are skipped, and say why", async () => {
    await using plain = await startHotBags({ token: TOKEN });
    const none = { reportsUrl: null, eventsUrl: null, hmacSecret: null, webhookSecret: null, previous: NOTHING };
    const { report, failed, skipped } = await check(plain.url, 60_000, none);
    expect({ failed, skipped }).toEqual({
      failed: [],
      skipped: ["signature", "webhook", "former-secret", "reports", "events"],
    });
    const seenOf = (name: string) => report.checks.find((one) => one.name === name)?.seen;
    expect(seenOf("signature")).toContain("HOTBAGS_HMAC_DISABLED");
    expect(seenOf("webhook")).toContain("HOTBAGS_WEBHOOK_SECRET");
    expect(seenOf("former-secret")).toContain("HOTBAGS_BEARER_TOKEN_PREVIOUS");
  });
});

describe("one thing that is wrong is found, and nothing else:", () => {
  const on = (name: string, status: number, body = "", headers = {}): Wrong => {
    return (incoming) => (incoming.name === name ? { status, body, headers } : undefined);
  };
  /** Takes what has this name, whatever it was signed by. */
  const signedAnew = (name: string): Wrong => {
    return (incoming) => {
      if (incoming.name !== name) return;
      const at = new Date();
      const [id, body] = [String(incoming.headers["idempotency-key"]), incoming.body.toString()];
      incoming.headers["webhook-id"] = id;
      incoming.headers["webhook-timestamp"] = String(Math.floor(at.getTime() / 1_000));
      incoming.headers["webhook-signature"] = new Webhook(WEBHOOK_SECRET).sign(id, at, body);
    };
  };
  const again = (name: string, body: () => string): Wrong => {
    return (incoming) => (incoming.name === name && incoming.before > 0 ? { status: 200, body: body() } : undefined);
  };

  it.each<[string, string, Wrong]>([
    [
      "bearer",
      "a token that nobody looks at",
      ({ headers }) => {
        headers.authorization = `Bearer ${TOKEN}`;
      },
    ],
    [
      "signature",
      "a signature that nobody looks at",
      ({ headers, body }) => {
        headers["x-hotbags-signature"] = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
      },
    ],
    ["signature", "a body of 4 MB that it fails by", on("forged-2", 500)],
    ["webhook", "a time that nobody looks at", signedAnew("webhook-1")],
    ["webhook", "a signature of another body that nobody looks at", signedAnew("webhook-4")],
    [
      "webhook",
      "a second signature that nobody looks at",
      ({ name }) => (name === "webhook-several" ? { status: 401 } : undefined),
    ],
    ["ping", "a HEAD that is refused whoever asks", on("ping", 401)],
    ["former-secret", "a former token that it fails by", on("former-1", 500)],
    [
      "events",
      "events that anybody may send",
      ({ headers, body }) => {
        if (body.includes('"event_id"')) headers.authorization = `Bearer ${TOKEN}`;
      },
    ],
    [
      "reports",
      "reports that anybody may send",
      ({ headers, body }) => {
        if (body.includes('"report_id"')) headers.authorization = `Bearer ${TOKEN}`;
      },
    ],
    [
      "reports",
      "a signature of reports that nobody looks at",
      ({ headers, body }) => {
        if (!body.includes('"report_id"')) return;
        const [id, at] = [String(headers["idempotency-key"]), new Date()];
        headers["x-hotbags-signature"] = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
        headers["webhook-id"] = id;
        headers["webhook-timestamp"] = String(Math.floor(at.getTime() / 1_000));
        headers["webhook-signature"] = new Webhook(WEBHOOK_SECRET).sign(id, at, body.toString());
      },
    ],
    ["key-again", "a key that is forgotten", again("again", () => commands(randomUUID()))],
    ["key-at-once", "a race for a key", again("at-once", () => commands(randomUUID()))],
    ["answer", "a key that is answered with half of its JSON when it comes twice at once", again("at-once", () => "{")],
    ["key-other-body", "another body that is taken", again("other-body", () => commands("for-other-body"))],
    ["kind-audio", "a kind of message that it fails by", on("kind-audio", 500)],
    ["kind-group", "a kind of message that it refuses", on("kind-group", 422)],
    ["long-text", "a column that is too short", on("long-text", 500)],
    ["size", "a limit of bodies that is too low", on("size", 413)],
    ["compressed", "an encoding that the body is not in", on("compressed", 200, "{}", { "content-encoding": "br" })],
    ["answer", "no JSON", on("kind-text", 200, "ok")],
    ["answer", "a web page", on("kind-text", 200, "<!doctype html>")],
    ["answer", "a failure that says 200", on("kind-text", 200, '{"success":false}')],
    [
      "answer",
      "a command without a text",
      on("kind-text", 200, '{"commands":[{"command_id":"a","type":"send_text"}]}'),
    ],
    [
      "command-ids",
      "an id that two messages get",
      ({ name }) => (/^kind-(text|audio)$/.test(name) ? { status: 200, body: commands("1") } : undefined),
    ],
  ])("%s: %s", async (name, _what, wrong) => {
    const { report, failed } = await checkBehind(wrong);
    expect(failed).toEqual([name]);
    for (const one of report.checks.filter(({ status }) => status === "failed")) expect(one.todo).toBeTruthy();
    // Which message it was, so that it can be found in the backend's own log.
    const ofOne = report.checks.find((one) => one.name === name && /^(answer|command-ids)$/.test(name));
    if (ofOne) expect(ofOne.seen).toMatch(/CHECK-[0-9a-f]{8}-(kind-text|at-once)/);
  });

  it("time: an answer that comes late", async () => {
    const wrong: Wrong = async ({ name }) => {
      if (name === "kind-text") await new Promise((resolve) => setTimeout(resolve, 60));
      return undefined;
    };
    const { report, failed } = await checkBehind(wrong, 50);
    expect(failed).toContain("time");
    expect(report.checks.find(({ name }) => name === "time")?.seen).toMatch(/at most \(CHECK-/);
  });

  it("repeats what a backend says beside a failure, on one line, and no secret of it", async () => {
    const body = `{\n  "error": "no room for ${TOKEN}"\n}${" more".repeat(100)}`;
    const { report } = await checkBehind(on("kind-text", 500, body));
    const { seen } = report.checks.find(({ name }) => name === "kind-text") ?? {};
    expect(seen).toMatch(/^Hot Bags answered 500: \{ "error": "no room for …" \}.*…$/);
    const page = await checkBehind(on("kind-text", 500, "<!doctype html><p>no</p>"));
    expect(page.report.checks.find(({ name }) => name === "kind-text")?.seen).toBe("Hot Bags answered 500");
  });

  it("says which messages a backend may have as well: those that it gave no answer to", async () => {
    const { report, failed } = await checkBehind(({ name }) => (name === "kind-text" ? { status: "drop" } : undefined));
    expect(failed).toEqual(["kind-text"]);
    expect(report.leftBehind.perhaps).toBe(1);
  });

  it("stops where nobody is there any more: what comes then says nothing", async () => {
    const { report, failed } = await checkBehind(({ name }) =>
      name === "kind-text" ? { status: "close" } : undefined,
    );
    const next = CHECKS[CHECKS.findIndex(({ name }) => name === "kind-text") + 1]?.name;
    expect(failed).toEqual(["kind-text", next]);
    const after = report.checks.slice(report.checks.findIndex(({ name }) => name === next) + 1);
    expect(after.filter(({ isBlocked }) => !isBlocked)).toEqual([]);
    expect(after[0]?.seen).toBe("nobody is there any more");
  });

  it.each<[string, string, Wrong, string]>([
    [
      "redirect",
      "a slash that is missing",
      () => ({ status: 308, headers: { location: `${INBOUND_PATH}/` } }),
      "set HOTBAGS_INBOUND_PATH so",
    ],
    [
      "redirect",
      "http that leads to https",
      ({ headers }) => ({ status: 301, headers: { location: `https://${headers.host}${INBOUND_PATH}` } }),
      "let HOTBAGS_BASE_URL begin with https",
    ],
    [
      "protection",
      "Vercel's login",
      () => ({ status: 401, headers: { "set-cookie": "_vercel_sso_nonce=x; Path=/" } }),
      "Deployment Protection",
    ],
    ["protection", "Vercel's firewall", () => ({ status: 403, headers: { "x-vercel-mitigated": "deny" } }), "Firewall"],
    ["taken", "a token that is wrong", () => ({ status: 401 }), "HOTBAGS_BEARER_TOKEN"],
    ["taken", "another address", () => ({ status: 404 }), "HOTBAGS_INBOUND_PATH"],
  ])("%s: %s, and what can't be told then is skipped", async (name, _what, wrong, todo) => {
    const { report, failed, skipped } = await checkBehind(wrong);
    expect(failed).toEqual([name]);
    expect(report.checks.find((one) => one.name === name)?.todo).toContain(todo);
    expect(skipped).toContain("kind-text");
    expect(report.leftBehind.messages).toBe(0);
  });

  it("reachable: nobody there", async () => {
    const { report, failed, skipped } = await check(`http://127.0.0.1:${await freePort()}`);
    expect(failed).toEqual(["reachable"]);
    expect(skipped).toHaveLength(CHECKS.length - 1);
    expect(report.checks.filter(({ isBlocked }) => isBlocked)).toHaveLength(CHECKS.length - 1);
  });
});

it("an answer may use what the bridge that asks takes, and nothing else", async () => {
  hotbags.answers(({ message_id }) => [{ command_id: `on-${message_id}`, type: "react", emoji: "👍" } as Command]);
  try {
    const { report, failed } = await check(hotbags.url);
    expect([failed, report.checks.find(({ name }) => name === "answer")?.seen]).toEqual([
      ["answer"],
      expect.stringContaining('the type "react" is switched off here'),
    ]);
    expect((await check(hotbags.url, 60_000, { accepts: new Set(["react"]) })).failed).toEqual([]);
  } finally {
    hotbags.answers(answerOf);
  }
});
