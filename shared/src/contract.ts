import { z } from "zod";
import { transportSessionId } from "./address.ts";
import type { InboundMessage } from "./message.ts";

/** Where Hot Bags takes messages, below `HOTBAGS_BASE_URL`. */
export const INBOUND_PATH = "/api/integrations/whatsapp/inbound";

/**
 * The exact JSON text POSTed for a message. It is rendered once, stored, and sent byte for byte on every attempt,
 * because Hot Bags refuses a known idempotency key with another body.
 */
export function renderBody(message: InboundMessage): string {
  return JSON.stringify({
    message_id: message.message_id,
    chat_id: message.chat_id,
    from: message.from,
    text: message.text,
    media: message.media,
    timestamp: message.timestamp,
    raw: message.raw,
    transport_session_id: transportSessionId(message.account_id),
  });
}

/**
 * The envelope of a 2xx answer. Its commands are judged one by one (`sendText`), so that one bad command
 * does not hold back the others; an envelope that does not fit is never executed in part.
 */
export const responseEnvelope = z.looseObject({ commands: z.array(z.unknown()).optional() });

/** The one command of contract v1. Fields that the contract does not name are ignored. */
export const sendText = z.looseObject({
  command_id: z.string().min(1, "command_id must not be empty").max(256),
  type: z.literal("send_text"),
  text: z.string().refine((text) => text.trim() !== "", "text must not be empty"),
});
export type SendText = z.infer<typeof sendText>;
