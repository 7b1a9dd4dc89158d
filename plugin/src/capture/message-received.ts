import { assemble, type Captured, type Facts } from "./capture.ts";
import { receivedTextOf } from "./text.ts";

/** OpenClaw's `message_received` event and its context, as far as they are used here. */
export type ReceivedEvent = {
  content: unknown;
  messageId?: unknown;
  timestamp?: unknown;
  media?: unknown;
  location?: unknown;
  metadata?: Readonly<Record<string, unknown>>;
};
export type ReceivedContext = { channelId: unknown; accountId?: unknown; conversationId?: unknown };

/**
 * The message in a `message_received` event: less than `reply_dispatch` gives, but the only sight of what OpenClaw
 * consumes itself, such as `stop`. Undefined for other channels. Pure, and never throws.
 */
export function captureReceived(event: ReceivedEvent, context: ReceivedContext, nowMs: number): Captured | undefined {
  if (context.channelId !== "whatsapp") return undefined;
  try {
    return assemble(factsOf(event, context), nowMs);
  } catch {
    // What can't be read comes by reply_dispatch with more evidence.
    return undefined;
  }
}

function factsOf(event: ReceivedEvent, context: ReceivedContext): Facts {
  const metadata = event.metadata ?? {};
  const chat = context.conversationId ?? metadata["originatingTo"];
  const messageId = event.messageId ?? metadata["messageId"];
  return {
    account: context.accountId,
    messageId,
    chat,
    from: metadata["senderE164"] ?? metadata["senderId"],
    text: receivedTextOf(event),
    media: event.media,
    timestampMs: event.timestamp,
    context: asDispatchContext(event, { account: context.accountId, chat, messageId }),
  };
}

/** The event under the names of `reply_dispatch`, so that `raw` has one vocabulary whichever hook saw the message. */
function asDispatchContext(
  { timestamp, media, location, metadata = {} }: ReceivedEvent,
  { account, chat, messageId }: { account: unknown; chat: unknown; messageId: unknown },
): object {
  const place = (typeof location === "object" && location !== null ? location : {}) as Record<string, unknown>;
  return {
    To: metadata["to"],
    AccountId: account,
    MessageSid: messageId,
    ReplyToId: metadata["replyToId"],
    ReplyToBody: metadata["replyToBody"],
    ReplyToSender: metadata["replyToSender"],
    ChatType: String(chat).endsWith("@g.us") ? "group" : "direct",
    ChatId: chat,
    SenderName: metadata["senderName"],
    Timestamp: timestamp,
    Provider: metadata["provider"],
    SenderE164: metadata["senderE164"],
    LocationLat: place["latitude"],
    LocationLon: place["longitude"],
    LocationAccuracy: place["accuracy"],
    LocationName: place["name"],
    LocationAddress: place["address"],
    LocationSource: place["source"],
    LocationIsLive: place["isLive"],
    LocationCaption: place["caption"],
    media,
  };
}
