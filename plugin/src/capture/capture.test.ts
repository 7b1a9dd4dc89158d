import { inboundMessage, MAX_RAW_BYTES } from "@hotbags/shared";
import { describe, expect, test } from "vitest";
import { directContext, groupContext } from "../testing/messages.ts";
import { type Captured, captureDispatched, keyOf } from "./capture.ts";
import { captureReceived } from "./message-received.ts";

const NOW = Date.UTC(2026, 0, 6);

function messageOf(context: Record<string, unknown>) {
  const seen = captureDispatched(context, NOW);
  if (!seen?.ok) throw new Error(`not a message: ${JSON.stringify(seen)}`);
  expect(inboundMessage.parse(seen.message)).toEqual(seen.message);
  return seen.message;
}

test("a direct text becomes a message in the contract's words", () => {
  expect(messageOf(directContext())).toMatchObject({
    account_id: "default",
    message_id: "3EB0C0FFEE01",
    chat_id: "+15550001",
    from: "+15550001",
    text: "Hello",
    media: [],
    timestamp: "2026-01-05T10:00:00.000Z",
    raw: { SenderName: "Ada", ChatType: "direct", MessageSid: "3EB0C0FFEE01", Timestamp: 1767607200000 },
  });
});

test("a group text names the group as the chat and the person as the sender", () => {
  const message = messageOf(groupContext());
  expect(message).toMatchObject({ chat_id: "120363000000000001@g.us", from: "+15550001", text: "Hello" });
  expect(message.raw).toMatchObject({ GroupSubject: "Red bags", WasMentioned: false });
});

test.each([
  ["NUL and other control characters", "a\u0000b\u0007c"],
  ["white space only", "  \n\t "],
  ["right to left and combining", "\u202eשלום e\u0301 👩‍👩‍👧"],
  ["half a surrogate pair", "broken \ud83d here"],
  ["what looks like an envelope", "[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] mine"],
  ["65,536 characters", "x".repeat(65_536)],
])("text goes through unchanged: %s", (_, text) => {
  expect(messageOf(directContext({ RawBody: text })).text).toBe(text);
});

test("an image without a caption has an empty text and a described attachment, never the envelope or a path", () => {
  const message = messageOf(
    directContext({
      ...{ Body: "[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] <media:image>", RawBody: "", BodyForAgent: "" },
      media: [{ path: "/home/openclaw/.openclaw/media/inbound/x.jpg", contentType: "image/jpeg", kind: "image" }],
    }),
  );
  expect(message.text).toBe("");
  expect(message.media).toEqual([
    {
      ...{ type: "image", mime_type: "image/jpeg", file_name: null, size_bytes: null, sha256: null },
      omitted: "the file could not be read",
    },
  ]);
  expect(JSON.stringify(message)).not.toMatch(/\.openclaw|<media|UTC]/);
});

const part = (type: string, payload: object) => ({ label: `WhatsApp ${type}`, source: "whatsapp", type, payload });
const place = { LocationLat: 52.52, LocationLon: 13.405, LocationSource: "pin", LocationIsLive: false };

test("a location has no text of OpenClaw's, but its caption, and stands in raw", () => {
  const pin = messageOf(directContext({ RawBody: "📍 52.520000, 13.405000", ...place }));
  expect(pin).toMatchObject({ text: "", raw: place });
  const live = { ...place, LocationSource: "live", LocationIsLive: true, LocationCaption: " on my way " };
  expect(messageOf(directContext({ RawBody: "🛰 Live location: 52.520000, 13.405000", ...live }))).toMatchObject({
    text: " on my way ",
    raw: live,
  });
});

test("a contact card has no text, and all its names and numbers in raw, also where there are 257", () => {
  const contacts = Array.from({ length: 257 }, (_, n) => ({ name: `Person ${n}`, phones: [`+1 555 000 ${2000 + n}`] }));
  const parts = [part("contacts", { kind: "contacts", total: 257, contacts })];
  const message = messageOf(directContext({ RawBody: "<contacts: 257 contacts>", ChannelStructuredContext: parts }));
  expect(message.text).toBe("");
  expect(message.raw["ChannelStructuredContext"]).toEqual(parts);
  const card = part("contact", { kind: "contact", total: 1, contacts: contacts.slice(0, 1) });
  expect(messageOf(directContext({ RawBody: "<contact>", ChannelStructuredContext: [card] })).text).toBe("");
});

test("who types what OpenClaw writes for a card or a place has typed it", () => {
  for (const RawBody of ["<contact>", "<contacts: 2 contacts>", "📍 52.520000, 13.405000", "<media:image>"]) {
    expect(messageOf(directContext({ RawBody })).text).toBe(RawBody);
  }
});

test("raw doesn't repeat an attachment, and says when it is that of the quoted message", () => {
  const media = [{ path: "/x/a.png", contentType: "image/png", kind: "image", transcribed: false }];
  const own = messageOf(directContext({ media, ChannelStructuredContext: [part("media", { kind: "image" })] }));
  expect(own.raw).not.toHaveProperty("media");
  expect(own.raw).not.toHaveProperty("ChannelStructuredContext");
  expect(own.raw).not.toHaveProperty("_quoted_media");
  const quoted = messageOf(directContext({ media, ReplyToId: "3EB0C0FFEE00", ReplyToBody: "<media:image>" }));
  expect(quoted).toMatchObject({ raw: { ReplyToId: "3EB0C0FFEE00", _quoted_media: true } });
  expect(quoted.media).toHaveLength(1);
});

test.each([null, "text", [null, 7, "media", {}]])("parts that are no parts are no trouble: %j", (parts) => {
  expect(messageOf(directContext({ ChannelStructuredContext: parts })).text).toBe("Hello");
});

test("raw says each thing once, in OpenClaw's words", () => {
  expect(messageOf(groupContext({ GroupRequireMention: false })).raw).toEqual({
    To: "+15559999",
    AccountId: "default",
    MessageSid: "3EB0C0FFEE01",
    ChatType: "group",
    ChatId: "120363000000000001@g.us",
    GroupSubject: "Red bags",
    SenderName: "Ada",
    SenderE164: "+15550001",
    Timestamp: 1767607200000,
    Provider: "whatsapp",
    WasMentioned: false,
  });
});

test("other channels and OpenClaw's own turns are not messages", () => {
  expect(captureDispatched(directContext({ OriginatingChannel: "telegram" }), NOW)).toBeUndefined();
  expect(captureDispatched(directContext({ InternalTurnSource: "heartbeat" }), NOW)).toBeUndefined();
  expect(captureDispatched({}, NOW)).toBeUndefined();
});

test("addresses in OpenClaw's other spellings are brought to the contract's", () => {
  const message = messageOf(directContext({ ChatId: "whatsapp:+15550001", SenderE164: undefined }));
  expect(message).toMatchObject({ chat_id: "+15550001", from: "+15550001" });
  expect(messageOf(directContext({ ChatId: "15550001:12@s.whatsapp.net" })).chat_id).toBe("+15550001");
});

test("a message without a time gets the time of its capture", () => {
  for (const Timestamp of [undefined, Number.NaN, -1, 1e18, "yesterday"]) {
    expect(messageOf(directContext({ Timestamp })).timestamp).toBe("2026-01-06T00:00:00.000Z");
  }
});

test.each([
  ["a chat known only by LID", { ChatId: "123456789012345@lid", From: "123456789012345@lid" }, "chat_id"],
  ["a sender known only by LID", { SenderE164: undefined, SenderId: "123456789012345@lid" }, "from"],
  ["no message id", { MessageSid: undefined }, "message_id"],
  ["an id that is not text", { MessageSid: 7 }, "message_id"],
  ["an account with a strange name", { AccountId: "a b" }, "account_id"],
])("%s is kept as evidence, and the field is named", (_, fields, field) => {
  const seen = captureDispatched(directContext(fields), NOW);
  expect(seen).toMatchObject({ ok: false, reason: expect.stringContaining(field) });
  if (seen?.ok === false) expect(seen.evidence).toMatchObject({ text: "Hello" });
});

test("the same unusable message has the same key each time", () => {
  const key = () => {
    const seen = captureDispatched(directContext({ MessageSid: undefined }), NOW);
    return seen?.ok === false ? seen.messageId : undefined;
  };
  expect(key()).toMatch(/^no-id-/);
  expect(key()).toBe(key());
});

test("unusable messages whose ids differ are two, also where a database can't tell these apart", () => {
  const long = "x".repeat(256);
  const keys = ["\ud800", "\ud801", `${long}1`, `${long}2`].map((MessageSid) => {
    const seen = captureDispatched(directContext({ MessageSid }), NOW);
    return seen?.ok === false ? Buffer.from(seen.messageId).toString() : undefined;
  });
  expect(new Set(keys).size).toBe(4);
});

test("nothing in the context can make capture throw", () => {
  const trap = new Proxy(
    {},
    {
      get: () => {
        throw new Error("no");
      },
      ownKeys: () => ["x"],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    },
  );
  const cycle: Record<string, unknown> = {};
  cycle["self"] = [cycle, cycle, cycle];
  const message = messageOf(
    directContext({
      ...{ trap, cycle, send: () => undefined, bytes: Buffer.alloc(10), at: new Date(0), big: 10n, odd: Number.NaN },
      ...{ media: "none", list: Array.from({ length: 20_000 }, () => 1), long: "y".repeat(20_000) },
    }),
  );
  expect(message.raw).toMatchObject({ at: "1970-01-01T00:00:00.000Z", big: "10", odd: null });
  expect(message.raw["_omitted"]).toEqual(["trap", "cycle", "list", "long"]);
  expect(message.raw).not.toHaveProperty("send");
  expect(message.raw).not.toHaveProperty("bytes");
});

/** Values that no check, copy or JSON text may follow to their end. */
const HOSTILE: Record<string, () => unknown> = {
  "a cycle": () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = [cycle];
    return cycle;
  },
  "100,000 levels": () => {
    let deep: unknown = [];
    for (let level = 0; level < 100_000; level += 1) deep = level % 2 === 0 ? [deep] : { deep };
    return deep;
  },
  "an array of four billion": () => new Array(2 ** 32 - 1),
  "ten million characters": () => "x".repeat(10_000_000),
  "a bigint": () => 10n,
  "a symbol": () => Symbol("odd"),
  "an object that throws": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an object without a prototype": () => Object.create(null),
};

const READ_BY_CAPTURE = [
  ...["AccountId", "MessageSid", "MessageSidFull", "ChatId", "From", "SenderE164", "SenderId", "RawBody", "Timestamp"],
  ...["LocationLat", "LocationCaption", "ChannelStructuredContext", "ReplyToId", "media", "GroupSubject"],
];

describe.each(Object.entries(HOSTILE))("%s", (_, create) => {
  test.each(READ_BY_CAPTURE)("in %s costs no message: it is captured, or kept as what can't be one", (field) => {
    for (const value of [create(), [create()], [{ path: create(), type: create() }]]) {
      const context = directContext({ [field]: value, ...(field === "LocationCaption" && { LocationLat: 1 }) });
      const seen = captureDispatched(context, NOW);
      expect(seen?.ok === false ? seen.chat.length : 0).toBeLessThanOrEqual(256);
      expect(keyOf(seen as Captured).join().length).toBeLessThanOrEqual(1_000);
      expect(JSON.stringify(seen).length).toBeLessThan(
        /^(RawBody|LocationCaption)$/.test(field) ? 11_000_000 : 200_000,
      );
    }
  });

  test("in message_received makes nothing throw", () => {
    for (const field of ["content", "messageId", "timestamp", "media", "location", "metadata"])
      expect(() => captureReceived({ ...received, [field]: create() }, receivedContext, NOW)).not.toThrow();
    for (const field of ["accountId", "conversationId"])
      expect(() => captureReceived(received, { ...receivedContext, [field]: create() }, NOW)).not.toThrow();
  });
});

test("raw stays within its limit however much OpenClaw hands over", () => {
  const fields = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`Field${n}`, "ü".repeat(n * 20)]));
  const { raw } = messageOf(directContext(fields));
  expect(Buffer.byteLength(JSON.stringify(raw))).toBeLessThanOrEqual(MAX_RAW_BYTES);
  expect(raw["_omitted"]).toHaveLength(64);
});

test("raw repeats neither the text nor the envelope", () => {
  const raw = JSON.stringify(messageOf(directContext({ InboundHistory: [{ body: "of another person" }] })).raw);
  expect(raw).not.toMatch(/Hello|UTC]|another person/);
});

const received = {
  from: "+15550001",
  content: "stop",
  timestamp: 1767607200000,
  messageId: "3EB0C0FFEE02",
  senderId: "15550001@s.whatsapp.net",
  sessionKey: "agent:main:whatsapp:direct:+15550001",
  metadata: { senderE164: "+15550001", senderName: "Ada", originatingTo: "+15550001", provider: "whatsapp" },
};
const receivedContext = { channelId: "whatsapp", accountId: "default", conversationId: "+15550001" };

test("message_received sees the same message, with less around it but under the same names", () => {
  expect(captureReceived(received, receivedContext, NOW)).toMatchObject({
    ok: true,
    message: {
      ...{ account_id: "default", message_id: "3EB0C0FFEE02", chat_id: "+15550001", from: "+15550001", text: "stop" },
      timestamp: "2026-01-05T10:00:00.000Z",
    },
  });
  const seen = captureReceived(received, receivedContext, NOW);
  expect(seen?.ok === true && seen.message.raw).toEqual({
    AccountId: "default",
    MessageSid: "3EB0C0FFEE02",
    ChatType: "direct",
    ChatId: "+15550001",
    SenderName: "Ada",
    Timestamp: 1767607200000,
    Provider: "whatsapp",
    SenderE164: "+15550001",
  });
});

const ENVELOPE = "[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] +15550001: ";

test.each([
  ["the envelope of an attachment", { content: ENVELOPE, media: [{ kind: "image" }] }, ""],
  ["a customer who writes like an envelope", { content: ENVELOPE }, ENVELOPE],
  ["a contact card", { content: "<contact>" }, ""],
  ["several contact cards", { content: "<contacts: 2 contacts>" }, ""],
  ["a place", { content: "📍 1.000000, 2.000000", location: { latitude: 1, longitude: 2 } }, ""],
  ["a place with words", { content: "📍 1.0, 2.0", location: { latitude: 1, longitude: 2, caption: "here" } }, "here"],
])("message_received takes what OpenClaw wrote for no text: %s", (_, fields, text) => {
  const seen = captureReceived({ ...received, ...fields }, receivedContext, NOW);
  expect(seen).toMatchObject({ message: { text } });
});

test("message_received names a place and a quote as reply_dispatch does, and leaves other channels alone", () => {
  const location = { latitude: 1, longitude: 2, source: "live", isLive: true };
  const quote = { replyToId: "3EB0C0FFEE00", replyToBody: "two left", replyToSender: "100000015550000@lid" };
  const event = { ...received, location, metadata: { ...received.metadata, ...quote, to: "+15559999" } };
  expect(captureReceived(event, { ...receivedContext, conversationId: "120363000000000001@g.us" }, NOW)).toMatchObject({
    message: {
      raw: {
        ...{ LocationLat: 1, LocationLon: 2, LocationSource: "live", LocationIsLive: true, To: "+15559999" },
        ...{ ReplyToId: "3EB0C0FFEE00", ReplyToBody: "two left", ReplyToSender: "100000015550000@lid" },
        ...{ ChatType: "group", ChatId: "120363000000000001@g.us" },
      },
    },
  });
  expect(captureReceived(received, { ...receivedContext, channelId: "telegram" }, NOW)).toBeUndefined();
});
