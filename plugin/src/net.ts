import { assemble, type Captured } from "./capture.ts";

/** OpenClaw's `message_received` event and its context, as far as they are used here. */
export type ReceivedEvent = {
  content: unknown;
  messageId?: unknown;
  timestamp?: unknown;
  media?: unknown;
  metadata?: Readonly<Record<string, unknown>>;
};
export type ReceivedContext = { channelId: unknown; accountId?: unknown; conversationId?: unknown };

/**
 * OpenClaw's own wrapping, which stands in `content` when the message has no text: `[WhatsApp +15550001 Mon 2026-01-05
 * 10:00 UTC] ...`.
 */
const ENVELOPE = /^\[WhatsApp [^\]\n]*\]/;

/**
 * The message in a `message_received` event: less than `reply_dispatch` gives, but the only sight of what OpenClaw
 * consumes itself, such as `stop`. Undefined for other channels. Pure, and never throws.
 */
export function captureReceived(event: ReceivedEvent, context: ReceivedContext, nowMs: number): Captured | undefined {
  if (context.channelId !== "whatsapp") return undefined;
  const metadata = event.metadata ?? {};
  const text = typeof event.content === "string" && !ENVELOPE.test(event.content) ? event.content : "";
  return assemble(
    {
      account: context.accountId,
      messageId: event.messageId ?? metadata["messageId"],
      chat: context.conversationId ?? metadata["originatingTo"],
      from: metadata["senderE164"] ?? metadata["senderId"],
      text,
      media: event.media,
      timestampMs: event.timestamp,
      context: event,
    },
    nowMs,
  );
}
