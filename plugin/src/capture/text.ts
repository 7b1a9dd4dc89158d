/**
 * OpenClaw's finalized message (`reply_dispatch`'s `event.ctx`), as far as it is used here. Nothing in it is trusted to
 * have its declared type.
 */
export type DispatchContext = Readonly<Record<string, unknown>>;

/** WhatsApp sends up to 257 contact cards in one message. */
const MAX_PARTS = 1_000;

/** What OpenClaw puts into the text of a message that is a contact card, or several. */
const CARD_PLACEHOLDER = /^<contact>$|^<contacts: \d+ contacts?>$/;

/**
 * OpenClaw's own wrapping: `[WhatsApp +15550001 Mon 2026-01-05 10:00 UTC] ...`. It takes the text's place in
 * `message_received` when a message has none.
 */
const ENVELOPE = /^\[WhatsApp [^\]\n]*\]/;

/**
 * The customer's own words in a `reply_dispatch` context; "" where there are none. OpenClaw writes something of its own
 * where a message has no text: `📍 52.520000, 13.405000` for a location, `<contact>` for a contact card.
 */
export function textOf(context: DispatchContext): unknown {
  if (typeof context["LocationLat"] === "number") return context["LocationCaption"] ?? "";
  // RawBody, never Body, which is an envelope such as `[WhatsApp +1555… UTC] …`.
  const text = context["RawBody"];
  const isCard = hasPart(context, "contact") || hasPart(context, "contacts");
  return isCard && typeof text === "string" && CARD_PLACEHOLDER.test(text) ? "" : text;
}

/**
 * The same for `message_received`, which doesn't tell a contact card from somebody who types `<contact>`: there, that
 * is taken for a card.
 */
export function receivedTextOf(event: { content: unknown; media?: unknown; location?: unknown }): unknown {
  const { content, media, location } = event;
  if (typeof location === "object" && location !== null) return (location as { caption?: unknown }).caption ?? "";
  if (typeof content !== "string" || CARD_PLACEHOLDER.test(content)) return "";
  // Without an attachment it is a customer who writes like an envelope: OpenClaw passes on no message without content.
  return ENVELOPE.test(content) && Array.isArray(media) && media.length > 0 ? "" : content;
}

/**
 * True if the files in a `reply_dispatch` context come from the message that is quoted: OpenClaw fetches those when the
 * answering message has none of its own, and does not say so.
 */
export function isQuotedMedia(context: DispatchContext): boolean {
  const { media } = context as { media?: unknown };
  return context["ReplyToId"] !== undefined && Array.isArray(media) && media.length > 0 && !hasPart(context, "media");
}

/** Whether OpenClaw lists a part of this type in the message itself. */
function hasPart(context: DispatchContext, type: string): boolean {
  const parts = context["ChannelStructuredContext"];
  return (
    Array.isArray(parts) && parts.slice(0, MAX_PARTS).some((part) => (part as { type?: unknown } | null)?.type === type)
  );
}
