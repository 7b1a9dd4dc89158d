import type { InboundMessage } from "../../shared/src/index.ts";

export const ANNA = "+15550001001";
export const BEN = "+15550001002";

/** A customer's message as the plugin hands it in, with its id as text. */
export function messageOf(id: string, chat = ANNA, changes: Partial<InboundMessage> = {}): InboundMessage {
  return {
    account_id: "default",
    message_id: id,
    chat_id: chat,
    from: chat,
    text: id,
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
    ...changes,
  };
}
