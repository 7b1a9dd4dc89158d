import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import WebSocket from "ws";
import { literal } from "../../sidecar/src/gateway/index.ts";
import { API_PREFIX } from "../../sidecar/src/operator/schemas.ts";
import { operatorSocketOf } from "../../sidecar/src/operator/server.ts";
import { type Answer, CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { type AlertHook, startAlertHook } from "./alert-hook.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { messageOf } from "./message.ts";
import { answer, type Bytes, RawBackend } from "./raw-backend.ts";
import { chat } from "./raw-shop.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// A customer's number and words in each place where somebody else writes, and the secrets of the settings: none comes
// out again, wherever the sidecar speaks to the operator. With all that it can log.

const NUMBER = "+15557654321";
const DIGITS = NUMBER.slice(1);
const WORDS = "canary in the shop";
const BOTH = `${WORDS} ${NUMBER}`;
/** In a URL. */
const ESCAPED = encodeURIComponent(BOTH);

let backend: RawBackend;
let gateway: ScriptedGateway;
let hook: AlertHook;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;
/** What it said to the plugin and in `/health`. */
let said: string[];

beforeEach(async () => {
  said = [];
  backend = await new RawBackend().start();
  gateway = await new ScriptedGateway().start();
  hook = await startAlertHook();
  const env = { HOTBAGS_BASE_URL: backend.url, ALERT_WEBHOOK_URL: hook.url, BRIDGE_LOG_LEVEL: "debug" };
  const secrets = {
    HOTBAGS_BEARER_TOKEN: "canary-of-the-bearer-token",
    ...{ HOTBAGS_HMAC_DISABLED: "false", HOTBAGS_HMAC_SECRET: "canary-of-the-hmac-secret" },
    HOTBAGS_WEBHOOK_SECRET: `whsec_${btoa("canary-of-the-webhook-secret")}`,
    HOTBAGS_EXTRA_HEADERS: "x-canary: canary-of-a-header",
  };
  sidecar = await BuiltSidecar.start({ gateway, env: { ...env, ...secrets, HOTBAGS_TIMEOUT: "2" } });
  plugin = await sidecar.connect();
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  hook.close();
  await gateway.stop();
  await backend.stop();
});

/**
 * Ids that others have made, by which an operator has to find things, and what the gateway said of one reply: they get no
 * further than to whoever may open the database.
 */
const withoutIds = (text: string) =>
  JSON.stringify(JSON.parse(text, (key, value) => (/^((message|command)_id|said)$/.test(key) ? undefined : value)));

/** What the operator API says. */
async function operatorSays(path: string): Promise<string> {
  const call = request({ socketPath: operatorSocketOf(sidecar.dir), path: `${API_PREFIX}${path}` }).end();
  const [response] = await once(call, "response");
  return await text(response);
}

/** Nothing of it, in any of the forms in which it was put in. Stops the sidecar. */
async function expectSilence() {
  said.push(JSON.stringify((await sidecar.health()).body));
  said.push(await (await fetch(`http://127.0.0.1:${sidecar.port}/metrics`)).text());
  for (const path of ["/status", "/messages?limit=500", "/commands?limit=500", "/chats/paused", "/audit"])
    said.push(`${path}: ${withoutIds(await operatorSays(path))}`);
  for (const path of ["/messages/1", "/commands/1"]) said.push(`${path}: ${withoutIds(await operatorSays(path))}`);
  const lines = (await sidecar.wholeLog()).map((line) => JSON.stringify(line));
  const leaks = [...lines, ...said, JSON.stringify(hook.alerts)].filter((text) =>
    /5557654321|canary/i.test(decodeURI(text.replaceAll("%", "%25")).replaceAll("%20", " ")),
  );
  expect(leaks).toEqual([]);
}

const JSON_TYPE = "Content-Type: application/json";
const json = (value: unknown) => answer("200 OK", [JSON_TYPE], JSON.stringify(value));
const commands = (...list: unknown[]) => json({ commands: list });
const RANDOM_LONG = { command_id: "c-long", type: "send_text", text: BOTH.repeat(10_000) };

const ANSWERS: Record<string, Bytes> = {
  "a status text": answer(`422 ${BOTH}`),
  "a body outside of 2xx": answer("422 No", [JSON_TYPE], JSON.stringify({ error: BOTH, [BOTH]: BOTH })),
  "x-vercel-error": answer("404 No", [`x-vercel-error: ${BOTH}`]),
  "x-vercel-error in capitals": answer("404 No", [`x-vercel-error: CANARY_${DIGITS}`]),
  "x-vercel-mitigated": answer("403 No", [`x-vercel-mitigated: ${WORDS.replaceAll(" ", "_")}`]),
  "Retry-After": answer("429 No", [`Retry-After: ${DIGITS}`]),
  "Location, its path": answer("307 Go", [`Location: /${ESCAPED}/orders/${DIGITS}?q=${ESCAPED}`]),
  "Location, its path with dashes": answer("307 Go", [`Location: /orders/555-765-4321-${DIGITS}`]),
  "Location, its host": answer("307 Go", [`Location: https://${DIGITS}.example/?q=${ESCAPED}#${ESCAPED}`]),
  "Location, its user": answer("307 Go", [`Location: https://${DIGITS}:${ESCAPED}@shop.example/`]),
  "Location, none": answer("307 Go", [`Location: http://[${BOTH}`]),
  "Set-Cookie": answer("401 No", [`Set-Cookie: _vercel_sso_nonce=${BOTH}`]),
  "Content-Encoding": answer("200 OK", [`Content-Encoding: ${DIGITS}`], "{}"),
  "Content-Encoding in words": answer("200 OK", [`Content-Encoding: ${WORDS}`], "{}"),
  "Content-Encoding in one": answer("200 OK", ["Content-Encoding: canary"], "{}"),
  "Content-Type": answer("200 OK", [`Content-Type: text/html; name="${BOTH}"`], BOTH),
  "a header of its own": answer("200 OK", [`x-${DIGITS}: ${BOTH}`], "no JSON"),
  "a body that is no JSON": answer("200 OK", [JSON_TYPE], `{"${BOTH}": ${BOTH}`),
  "a failure in a 2xx": json({ success: false, error: BOTH, [NUMBER]: 1 }),
  "a list in place of an object": json([BOTH]),
  "commands that are none": json({ commands: { [BOTH]: BOTH } }),
  "commands in words": json({ commands: BOTH }),
  "no HTTP": `${BOTH}\r\n`,
  "an HTTP version": `HTTP/${DIGITS} 200 ${BOTH}\r\n\r\n`,
  "a chunk's size": `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${BOTH}\r\n`,
  "too many headers": answer("200 OK", [`x-much: ${BOTH.repeat(2_000)}`], "{}"),
  "another protocol": `HTTP/1.1 101 ${BOTH}\r\nConnection: upgrade\r\nUpgrade: ${DIGITS}\r\n\r\n`,
  "a command's type": commands({ command_id: "t1", type: BOTH, text: "x" }),
  "a command's type in digits": commands({ command_id: "t2", type: DIGITS }),
  "a command's type of a known kind": commands({ command_id: "t3", type: `send_${DIGITS}` }),
  "a command's keys": commands({ command_id: "k1", type: "send_text", text: 5, [BOTH]: BOTH }),
  "a command that is none": commands(BOTH, [BOTH], { [NUMBER]: BOTH }),
  "a text that is too long": commands(RANDOM_LONG),
  "a command's id": commands({ command_id: NUMBER, type: "send_text", text: BOTH }),
  "a command's id in words": commands({ command_id: BOTH, type: "send_text", text: "x" }),
  "a command's id with a jid": commands({ command_id: `re:${DIGITS}@s.whatsapp.net:1`, type: "send_x", text: "x" }),
  "a command's id that is too long": commands({ command_id: BOTH.repeat(20), type: "send_text", text: "x" }),
  "a command's id twice": commands(
    { command_id: `${NUMBER}-1`, type: "send_text", text: BOTH },
    { command_id: `${NUMBER}-1`, type: "send_text", text: `${BOTH}!` },
  ),
};

it("in what Hot Bags answers", { timeout: 60_000 }, async () => {
  gateway.send = () => ({ ok: true, payload: { messageId: `${DIGITS}@s.whatsapp.net` } });
  const all = Object.values(ANSWERS);
  // Each gets its own first, and then what it needs to be settled.
  backend.answerTo = (_text, { id }) => {
    const bytes = backend.posts.some((post) => post.id === id) ? undefined : all[Number(id)];
    return bytes ?? json({});
  };
  for (const n of all.keys()) {
    expect(await plugin.handIn(messageOf(String(n), chat(n), { text: BOTH }))).toMatchObject({ type: "ack" });
    await until("it was asked", () => backend.posts.some(({ id }) => id === String(n)));
    // Others pass: each failure is its message's own.
    await plugin.handIn(messageOf(`other-${n}`, chat(n + 500)));
    await until("another one passes", () => backend.posts.some(({ id }) => id === `other-${n}`));
    said.push(JSON.stringify((await sidecar.health()).body));
  }
  // But for the one that is to wait for a quarter of an hour.
  const isOver = async () => (await sidecar.health<{ messages: { pending: number } }>()).body.messages.pending === 1;
  await until("all are delivered", isOver, 40_000);
  await until("the replies are sent", () => gateway.sends.length === 3);
  for (const command of [["status"], ["messages", "list"], ["commands", "list"]]) {
    const { stdout, stderr } = await runHotbags(sidecar.dir, ...command, "--json");
    said.push(withoutIds(stdout), stderr);
  }
  await expectSilence();
  const about = sidecar.lines.filter(({ message_id }) => message_id !== undefined);
  expect(about.length).toBeGreaterThan(all.length);
  for (const line of about)
    expect(line).toMatchObject({
      transport_session_id: "whatsapp:default",
      chat: expect.stringMatching(/^\+1555…\d\d$/),
    });
});

const message = (more: object) => ({ ...messageOf("A"), ...more });
const FRAMES: Record<string, unknown> = {
  "no JSON": BOTH,
  "another version": { v: Number(DIGITS), type: "hello" },
  "a version in words": { v: BOTH },
  "another type": { v: 1, type: BOTH },
  "unknown fields": { v: 1, type: "status", [BOTH]: 1, [`f${DIGITS}`]: 1 },
  "unknown fields of a message": { v: 1, type: "message", ref: 1, message: message({ [BOTH]: 1, [NUMBER]: 1 }) },
  "a ref": { v: 1, type: "message", ref: Number(DIGITS), message: {} },
  "names in raw": `{"v":1,"type":"message","ref":2,"message":${JSON.stringify(messageOf("B")).replace(
    '"raw":{}',
    `"raw":{"${NUMBER}":1e400,"canary":1e400,"a":{"canary":[1e400]}}`,
  )}}`,
  "the account": { v: 1, type: "message", ref: 3, message: message({ account_id: BOTH }) },
  "the chat": { v: 1, type: "message", ref: 4, message: message({ chat_id: BOTH }) },
  "the sender": { v: 1, type: "message", ref: 5, message: message({ from: `${DIGITS}@lid` }) },
  "the id": { v: 1, type: "message", ref: 6, message: message({ message_id: BOTH }) },
  "an id with a number": { v: 1, type: "message", ref: 7, message: message({ message_id: `a_${DIGITS}@c.us_1` }) },
  "an attachment": { v: 1, type: "message", ref: 8, message: message({ media: [{ [BOTH]: BOTH, type: BOTH }] }) },
  "what was sent": { v: 1, type: "sent", account_id: BOTH, to: NUMBER, text_sha256: BOTH, at: BOTH },
  "a hello": { v: 1, type: "hello", plugin_version: BOTH, openclaw_version: DIGITS },
};

it("in what a plugin says, or who takes itself for one", async () => {
  for (const frame of Object.values(FRAMES)) {
    const other = await sidecar.connect();
    other.socket.on("message", (data) => void said.push(String(data).replaceAll(`"ref":${DIGITS}`, "")));
    const heard = once(other.socket, "message");
    other.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    // Two of them have no answer.
    await Promise.race([heard, until("it is read", () => plugin.handIn(messageOf("A")))]);
    other.socket.terminate();
  }
  for (const path of [`/${ESCAPED}`, `/media/${ESCAPED}`, `/media/${DIGITS}`])
    for (const authorization of [`Bearer ${BOTH}`, `Bearer ${BRIDGE_TOKEN}`]) {
      const headers = {
        authorization,
        "upload-length": DIGITS,
        "upload-offset": BOTH,
        origin: BOTH,
        [`x-${DIGITS}`]: "",
      };
      const [response] = await once(
        request({ port: sidecar.port, host: "127.0.0.1", path, method: "PATCH", headers, agent: false }).end(),
        "response",
      );
      said.push(Buffer.concat(await response.toArray()).toString());
    }
  const stranger = new WebSocket(`ws://127.0.0.1:${sidecar.port}/${ESCAPED}`, { headers: { authorization: BOTH } });
  await once(stranger, "error");
  await expectSilence();
});

const failed = (error: object): Answer => ({ ok: false, error });
/** What is in no text that it was asked to send. */
const OTHERS = `the canary of another customer ${NUMBER}`;
const SENDS: Answer[] = [
  failed({ code: BOTH, message: BOTH }),
  failed({ code: "INVALID_REQUEST", message: `invalid send params: ${BOTH}`, details: { [BOTH]: BOTH } }),
  failed({ code: "INVALID_REQUEST", message: `unknown method: ${NUMBER}` }),
  failed({ code: "UNAVAILABLE", message: `not sent to ${DIGITS}@s.whatsapp.net: ${BOTH}`, details: { code: BOTH } }),
  failed({ code: "UNAVAILABLE", message: BOTH, details: { partialDelivery: { [BOTH]: BOTH } } }),
  { ok: true, payload: { messageId: BOTH, [BOTH]: BOTH } },
  ...["INVALID_REQUEST", "UNAVAILABLE", "FORBIDDEN"].map((code) => failed({ code, message: OTHERS })),
  failed({ code: "INVALID_REQUEST", message: `unsupported channel: ${OTHERS}` }),
  failed({ code: "UNAVAILABLE", message: OTHERS, details: { code: "OUTBOUND_DELIVERY_QUEUED" } }),
];

it("in what the gateway says", async () => {
  backend.answerTo = (_text, { id }) => commands({ command_id: `to-${id}`, type: "send_text", text: BOTH });
  gateway.send = ({ idempotencyKey }) => SENDS[Number(idempotencyKey.slice("to-".length))] ?? "hang up";
  for (const n of SENDS.keys()) await plugin.handIn(messageOf(String(n), chat(n)));
  const asked = () => new Set(gateway.sends.map(({ idempotencyKey }) => idempotencyKey)).size;
  await until("all were asked for", () => asked() === SENDS.length);
  const told = () => sidecar.lines.filter(({ command_id, level }) => command_id !== undefined && level !== "debug");
  await until("all are told", () => new Set(told().map(({ command_id }) => command_id)).size === SENDS.length);
  const heard = async (n: number) => {
    const [found] = JSON.parse(await operatorSays(`/commands?command_id=to-${n}`)).commands;
    return JSON.parse(await operatorSays(`/commands/${found.id}`)).said;
  };
  expect([await heard(1), await heard(3)]).toEqual(["invalid send params: …", "not sent to 15557…21: …"]);
  expect(await heard(6)).toBe("the canary of another customer +1555…21");
  const to = chat(SENDS.length - 1);
  const dropped = { v: 1, type: "sent", account_id: "default", to, success: false, reason: OTHERS };
  const textSha256 = createHash("sha256").update(literal(BOTH)).digest("hex");
  const at = new Date().toISOString();
  plugin.socket.send(JSON.stringify({ ...dropped, whatsapp_message_id: null, text_sha256: textSha256, at }));
  await until("the drop is told", () => sidecar.lines.some(({ msg }) => /OpenClaw gave it up/.test(msg ?? "")));

  gateway.versions.openclaw = BOTH;
  gateway.scopes = [BOTH, DIGITS, "operator.read"];
  gateway.accounts = [{ ...CONNECTED, healthState: BOTH, statusState: BOTH, lifecycle: BOTH, [BOTH]: BOTH }];
  await gateway.restartAs(BOTH);
  const isLogged = (what: RegExp) => until(`${what}`, () => sidecar.lines.some(({ msg }) => what.test(msg ?? "")));
  await isLogged(/this token may not send/);
  gateway.accounts = { [BOTH]: BOTH };
  await isLogged(/channels.status failed/);
  gateway.token = "another";
  await gateway.restartAs("boot-3");
  await isLogged(/refuses OPENCLAW_GATEWAY_TOKEN/);
  await expectSilence();
});
