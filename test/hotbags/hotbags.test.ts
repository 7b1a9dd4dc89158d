import { createHash, createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../until.ts";
import { type HotBags, INBOUND_PATH, type Message, startHotBags } from "./index.ts";

const TOKEN = "bearer-of-the-test";
const SECRET = "secret-of-the-test";

let hotbags: HotBags;
beforeEach(async () => {
  hotbags = await startHotBags({ token: TOKEN });
});
afterEach(() => hotbags.close());

function message(id: string, fields: Partial<Message> = {}): Message {
  return {
    message_id: id,
    chat_id: "+15550001001",
    from: "+15550001001",
    text: `text of ${id}`,
    media: [],
    timestamp: "2026-11-23T08:00:00.000Z",
    raw: {},
    transport_session_id: "whatsapp:default",
    ...fields,
  };
}

function post(body: Message, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(hotbags.url + INBOUND_PATH, {
    method: "POST",
    redirect: "manual",
    signal: signal ?? null,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "idempotency-key": body.message_id,
      "x-idempotency-key": body.message_id,
      "x-transport-session-id": body.transport_session_id,
      "content-type": "application/json",
      "user-agent": "hotbags-bridge/0.1.0",
      "x-hotbags-contract": "1",
      "x-hotbags-accept": "send_text, pause_chat, resume_chat",
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

const sign = (body: Message, secret: string): string =>
  `sha256=${createHmac("sha256", secret).update(JSON.stringify(body)).digest("hex")}`;

describe("a request that keeps the contract", () => {
  test("is accepted, and answered by the script once per key, whatever the script says later", async () => {
    let asked = 0;
    hotbags.answers(({ text }) => [{ command_id: `c${++asked}`, type: "send_text", text: `re: ${text}` }]);
    const first = await (await post(message("m1"))).text();
    const again = await (await post(message("m1"))).text();

    expect(JSON.parse(first)).toEqual({ commands: [{ command_id: "c1", type: "send_text", text: "re: text of m1" }] });
    expect(again).toBe(first);
    expect(hotbags.accepted.map((one) => one.message_id)).toEqual(["m1"]);
    expect(hotbags.issued.map(({ key, command }) => [key, command.command_id])).toEqual([["m1", "c1"]]);
    expect(hotbags.requests.map(({ duplicate, status }) => [duplicate, status])).toEqual([
      [false, 200],
      [true, 200],
    ]);
    expect(hotbags.violations).toEqual([]);
  });

  test("may carry media whose bytes are what it says, a group and an omitted file", async () => {
    const bytes = Buffer.from("a picture");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const image = {
      type: "image" as const,
      mime_type: "image/png",
      file_name: "p.png",
      size_bytes: bytes.length,
      sha256,
    };
    const media = [
      { ...image, data_base64: bytes.toString("base64") },
      { ...image, omitted: "too large" },
    ];
    expect((await post(message("m1", { media, chat_id: "120363000000000001@g.us" }))).status).toBe(200);
    expect(hotbags.violations).toEqual([]);

    const wrong = [{ ...image, data_base64: Buffer.from("b picture").toString("base64") }];
    expect((await post(message("m2", { media: wrong }))).status).toBe(422);
    expect(hotbags.violations).toEqual(["m2: body media.0: sha256 is not its bytes'"]);
  });
});

describe("a breach of the contract is refused and recorded:", () => {
  test.each([
    ["bearer", { authorization: "Bearer wrong" }, 401, "m1: Authorization is not the bearer token"],
    ["second key", { "x-idempotency-key": "m2" }, 422, "m1: X-Idempotency-Key is m2, the body says m1"],
    [
      "session",
      { "x-transport-session-id": "s" },
      422,
      "m1: X-Transport-Session-Id is s, the body says whatsapp:default",
    ],
    ["content type", { "content-type": "text/plain" }, 422, "m1: Content-Type is text/plain"],
    ["contract", { "x-hotbags-contract": "2" }, 422, "m1: X-HotBags-Contract is 2"],
    ["user agent", { "user-agent": "node" }, 422, "m1: User-Agent is node"],
  ])("%s", async (_name, headers, status, violation) => {
    expect((await post(message("m1"), headers)).status).toBe(status);
    expect(hotbags.violations).toEqual([violation]);
    expect(hotbags.accepted).toEqual([]);
  });

  test("body", async () => {
    const unknownField = { ...message("m1", { from: "15550001001", timestamp: "yesterday" }), extra: 1 };
    expect((await post(unknownField)).status).toBe(422);
    for (const field of ["from", "timestamp", "extra"]) expect(hotbags.violations.join("\n")).toContain(field);
  });

  test("the same key with another body, even when the first attempt failed", async () => {
    hotbags.next({ status: 503 });
    await post(message("m1"));
    expect((await post(message("m1", { text: "other" }))).status).toBe(422);
    expect(hotbags.violations).toEqual(["m1: the same key came with another body"]);
  });

  test("another path", async () => {
    expect((await fetch(`${hotbags.url}/health`)).status).toBe(404);
    expect(hotbags.violations).toEqual(["GET /health is not in the contract"]);
  });
});

describe("the signature", () => {
  test("is required when there is a secret", async () => {
    await hotbags.close();
    hotbags = await startHotBags({ token: TOKEN, hmacSecret: SECRET });
    const body = message("m1", { text: "grüße 👋" });
    expect((await post(body, { "x-hotbags-signature": sign(body, SECRET) })).status).toBe(200);
    expect(hotbags.violations).toEqual([]);

    expect((await post(body, { "x-hotbags-signature": sign(body, "other") })).status).toBe(401);
    expect((await post(body)).status).toBe(401);
    expect(hotbags.violations).toEqual([
      "m1: X-HotBags-Signature is not the body's",
      "m1: X-HotBags-Signature is missing",
    ]);
  });

  test("is recorded, not refused, when there is none", async () => {
    const body = message("m1");
    expect((await post(body, { "x-hotbags-signature": sign(body, SECRET) })).status).toBe(200);
    expect(hotbags.violations).toEqual(["m1: X-HotBags-Signature was sent although HMAC is disabled"]);
  });
});

describe("faults", () => {
  test("come in order, one per request, and then all is well", async () => {
    hotbags.next({ status: 503, body: "busy" }, { status: 429, retryAfter: 7 }, { redirect: "http://127.0.0.1:1/" });
    const busy = await post(message("m1"));
    expect([busy.status, await busy.text()]).toEqual([503, "busy"]);
    const limited = await post(message("m1"));
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
    const redirected = await post(message("m1"));
    expect([redirected.status, redirected.headers.get("location")]).toEqual([307, "http://127.0.0.1:1/"]);
    expect(hotbags.accepted).toEqual([]);
    expect((await post(message("m1"))).status).toBe(200);
    expect(hotbags.accepted).toHaveLength(1);
  });

  test("can be aimed at some messages, and lifted", async () => {
    const lift = hotbags.faultFor(({ text }) => text === "poison", { status: 400 }, Number.POSITIVE_INFINITY);
    const poison = message("m1", { text: "poison" });
    expect((await post(poison)).status).toBe(400);
    expect((await post(message("m2"))).status).toBe(200);
    expect((await post(poison)).status).toBe(400);
    lift();
    expect((await post(poison)).status).toBe(200);
  });

  test.each(["drop", "drop-after-processing"] as const)("%s destroys the connection", async (fault) => {
    hotbags.next(fault);
    await expect(post(message("m1"))).rejects.toThrow();
    expect(hotbags.accepted).toHaveLength(fault === "drop" ? 0 : 1);
    expect((await post(message("m1"))).status).toBe(200);
    expect(hotbags.accepted).toHaveLength(1);
  });

  test.each(["hang", "hang-after-processing"] as const)("%s never answers", async (fault) => {
    hotbags.next(fault);
    const patience = new AbortController();
    const answer = post(message("m1"), {}, patience.signal);
    const refused = expect(answer).rejects.toThrow(/abort/);
    await until("it is there", () => hotbags.requests.length === 1);
    // Another one is answered in between; of this one there is nothing.
    expect((await post(message("m2"))).status).toBe(200);
    expect(hotbags.requests[0]).toMatchObject({ status: undefined, endedAt: undefined });
    patience.abort();
    await refused;
    expect(hotbags.accepted.map((one) => one.message_id)).toEqual(fault === "hang" ? ["m2"] : ["m1", "m2"]);
  });

  test("truncate ends in the middle of the answer", async () => {
    hotbags.next("truncate");
    const response = await post(message("m1"));
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(hotbags.accepted).toHaveLength(1);
  });

  test.each(["slow-body", "endless-body"] as const)("%s is an answer that goes on and on", async (fault) => {
    hotbags.next(fault);
    const response = await post(message("m1"));
    expect(response.status).toBe(200);
    const reader = response.body?.getReader();
    for (let piece = 0; piece < 4; piece++) expect(await reader?.read()).toMatchObject({ done: false });
    await reader?.cancel();
    expect(hotbags.accepted).toHaveLength(1);
  });

  test("a delay, and a 2xx that is no answer, count as processed", async () => {
    hotbags.next({ delayMs: 60 }, { status: 200, body: "<html>" });
    await post(message("m1"));
    const [delayed] = hotbags.requests;
    await until("it is over on that side too", () => delayed?.endedAt);
    expect((delayed?.endedAt ?? 0) - (delayed?.at ?? 0)).toBeGreaterThanOrEqual(59);
    expect(await (await post(message("m2"))).text()).toBe("<html>");
    expect(hotbags.accepted).toHaveLength(2);
  });
});

test("bytes go out as they are, and count as processed", async () => {
  hotbags.next({ bytes: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>" }, { bytes: "SSH-2.0-OpenSSH_9.6\r\n" });
  expect(await (await post(message("m1"))).text()).toBe("<html>");
  await expect(post(message("m2"))).rejects.toThrow();
  expect(hotbags.accepted).toHaveLength(2);
});

describe("receives", () => {
  test("hands out each message once, now or later, by text or by predicate", async () => {
    const later = hotbags.receives("text of m2");
    await post(message("m1"));
    await post(message("m2"));
    await post(message("m3"));
    expect((await later).message_id).toBe("m2");
    expect((await hotbags.receives(({ message_id }) => message_id === "m3")).message_id).toBe("m3");
    expect((await hotbags.receives()).message_id).toBe("m1");
  });

  test("says what came instead", async () => {
    await post(message("m1"));
    await expect(hotbags.receives("hello", { timeoutMs: 10 })).rejects.toThrow(
      'Hot Bags did not receive "hello" within 10 ms; these did: +15550001001 "text of m1"',
    );
  });
});

test("down means no connection, up again means the same port and memory", async () => {
  const events: string[] = [];
  hotbags.onEvent((event) => events.push(event.type));
  hotbags.answers(() => [{ command_id: `c-${Math.random()}`, type: "send_text", text: "hi" }]);
  const before = await (await post(message("m1"))).text();
  hotbags.next("hang");
  const cut = post(message("m2"));
  cut.catch(() => {});
  await until("the second is there", () => hotbags.requests.length === 2);

  await hotbags.stop();
  await expect(cut).rejects.toThrow();
  await expect(post(message("m1"))).rejects.toThrow();
  await hotbags.start();

  expect(await (await post(message("m1"))).text()).toBe(before);
  expect(hotbags.accepted).toHaveLength(1);
  expect(events.filter((type) => type !== "answered")).toEqual([
    "attempt",
    "accepted",
    "issued",
    "attempt",
    "down",
    "up",
    "attempt",
  ]);
});
