import { inboundMessage, MAX_RAW_BYTES } from "@hotbags/shared";
import { expect, test } from "vitest";
import { captureDispatched } from "./capture.ts";
import { captureReceived } from "./net.ts";
import { directContext, groupContext } from "./testing/messages.ts";

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

test("the net sees the same message, with less around it", () => {
  expect(captureReceived(received, receivedContext, NOW)).toMatchObject({
    ok: true,
    message: {
      ...{ account_id: "default", message_id: "3EB0C0FFEE02", chat_id: "+15550001", from: "+15550001", text: "stop" },
      ...{ timestamp: "2026-01-05T10:00:00.000Z", raw: { metadata: { senderName: "Ada" } } },
    },
  });
});

test("the net takes OpenClaw's envelope for no text, and leaves other channels alone", () => {
  const envelope = { ...received, content: "[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] <media:image>" };
  expect(captureReceived(envelope, receivedContext, NOW)).toMatchObject({ message: { text: "" } });
  expect(captureReceived(received, { ...receivedContext, channelId: "telegram" }, NOW)).toBeUndefined();
});
