import type { InboundMessage } from "@hotbags/shared";
import type { Captured } from "../capture/capture.ts";
import type { DispatchContext } from "../capture/text.ts";

/** A message as capture makes it. */
export function message(fields: Partial<InboundMessage> = {}): InboundMessage {
  return {
    account_id: "default",
    message_id: "3EB0C0FFEE01",
    chat_id: "+15550001",
    from: "+15550001",
    text: "Hello, do you have it in red?",
    media: [],
    timestamp: "2026-01-05T10:00:00.000Z",
    raw: { SenderName: "Ada" },
    ...fields,
  };
}

export function captured(fields: Partial<InboundMessage> = {}): Captured {
  return { ok: true, message: message(fields) };
}

/** `reply_dispatch`'s `event.ctx` for a text in a direct chat, as the real gateway 2026.9.6 sends it. */
export function directContext(fields: Record<string, unknown> = {}): DispatchContext {
  return {
    Body: "[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] Hello",
    InboundEventKind: "user_request",
    BodyForAgent: "Hello",
    RawBody: "Hello",
    CommandBody: "Hello",
    BodyForCommands: "Hello",
    From: "+15550001",
    To: "+15559999",
    SessionKey: "agent:main:whatsapp:direct:+15550001",
    AgentId: "main",
    DmScope: "per-channel-peer",
    AccountId: "default",
    MessageSid: "3EB0C0FFEE01",
    ChatType: "direct",
    ChatId: "+15550001",
    ConversationLabel: "+15550001",
    SenderName: "Ada",
    SenderId: "+15550001",
    SenderE164: "+15550001",
    Timestamp: 1767607200000,
    Provider: "whatsapp",
    Surface: "whatsapp",
    CommandAuthorized: false,
    OriginatingChannel: "whatsapp",
    OriginatingTo: "+15550001",
    GroupMembers: "+15550001",
    media: [],
    rawText: "Hello",
    agentText: "Hello",
    commandText: "Hello",
    ...fields,
  };
}

/** The same for a group. */
export function groupContext(fields: Record<string, unknown> = {}): DispatchContext {
  return directContext({
    Body: "[WhatsApp 120363000000000001@g.us Mon 2026-01-05 10:00 UTC] Ada: Hello",
    From: "120363000000000001@g.us",
    ChatType: "group",
    ChatId: "120363000000000001@g.us",
    ConversationLabel: "120363000000000001@g.us",
    OriginatingTo: "120363000000000001@g.us",
    GroupSubject: "Red bags",
    GroupMembers: "Ada (+15550001), +100015550002",
    WasMentioned: false,
    ...fields,
  });
}
