import { createHash } from "node:crypto";
import { describeIssues, type InboundMessage, inboundMessage, keyOfId } from "@hotbags/shared";
import { normalizeAddress } from "./address.ts";
import { describeAttachments } from "./attachments.ts";
import { boundedCopy, TOO_MUCH } from "./bounded.ts";
import { rawOf } from "./raw.ts";
import { type DispatchContext, isQuotedMedia, textOf } from "./text.ts";

/**
 * What a hook saw, ready for the outbox: a message, or what could not be made into one and must not be lost either.
 * `sources` are the paths of the files that are to be copied before the message may go, see `describeAttachments`.
 */
export type Captured =
  | { ok: true; message: InboundMessage; sources?: readonly (string | null)[] }
  | { ok: false; account: string; chat: string; messageId: string; reason: string; evidence: object };

/** What makes a message that message: account, chat, id. */
export function keyOf(captured: Captured): [account: string, chat: string, messageId: string] {
  if (!captured.ok) return [captured.account, captured.chat, captured.messageId];
  const { account_id, chat_id, message_id } = captured.message;
  return [account_id, chat_id, message_id];
}

const NOTHING: ReadonlySet<string> = new Set();

/** The facts that both hooks provide, still unchecked. */
export type Facts = {
  account: unknown;
  messageId: unknown;
  chat: unknown;
  from: unknown;
  text: unknown;
  media: unknown;
  timestampMs: unknown;
  /** OpenClaw's own view, for `raw`. */
  context: object;
  /** True if `media` is not the message's own, but of the message that it quotes. */
  mediaIsQuoted?: boolean;
};

/**
 * The message in a `reply_dispatch` context. Undefined for what is not a customer's WhatsApp message: another channel,
 * or a turn that OpenClaw started itself (heartbeat, cron). Pure, and never throws. `nowMs` stands in where WhatsApp
 * gave no time.
 */
export function captureDispatched(context: DispatchContext, nowMs: number): Captured | undefined {
  if (!isWhatsApp(context) || context["InternalTurnSource"] !== undefined) return undefined;
  try {
    return assemble(factsOf(context), nowMs);
  } catch {
    // No message that WhatsApp can send, but not to be lost either.
    const evidence = { context: evidenceOf(() => rawOf(context)) };
    const reason = "what OpenClaw gave can't be read";
    return { ok: false, account: "default", chat: "", messageId: digest(evidence), reason, evidence };
  }
}

function factsOf(context: DispatchContext): Facts {
  return {
    account: context["AccountId"],
    messageId: context["MessageSid"] ?? context["MessageSidFull"],
    chat: context["ChatId"] ?? context["From"],
    from: context["SenderE164"] ?? context["SenderId"],
    text: textOf(context),
    media: context["media"],
    timestampMs: context["Timestamp"],
    context,
    mediaIsQuoted: isQuotedMedia(context),
  };
}

/** True if a dispatch belongs to WhatsApp; such a one is claimed whatever else becomes of it. */
export function isWhatsApp(context: DispatchContext): boolean {
  const channel = context["OriginatingChannel"] ?? context["Surface"] ?? context["Provider"];
  return typeof channel === "string" && channel.toLowerCase() === "whatsapp";
}

/**
 * Makes a message of facts, or says in words which field cannot be one. Throws only what an object of OpenClaw's throws
 * that is looked into.
 */
export function assemble(facts: Facts, nowMs: number): Captured {
  const account = typeof facts.account === "string" && facts.account !== "" ? keyOfId(facts.account) : "default";
  const { media, sources } = describeAttachments(facts.media);
  const candidate = {
    account_id: account,
    message_id: facts.messageId,
    chat_id: normalizeAddress(facts.chat),
    from: normalizeAddress(facts.from),
    text: typeof facts.text === "string" ? facts.text : "",
    media,
    timestamp: timestampOf(facts.timestampMs, nowMs),
    raw: { ...rawOf(facts.context), ...(facts.mediaIsQuoted === true && { _quoted_media: true }) },
  };
  const parsed = inboundMessage.safeParse(candidate);
  if (parsed.success) return { ok: true, message: parsed.data, ...(sources === undefined ? {} : { sources }) };
  const chat = typeof facts.chat === "string" ? keyOfId(facts.chat) : "";
  const evidence = {
    ...candidate,
    message_id: evidenceOf(() => facts.messageId),
    chat_id: evidenceOf(() => facts.chat),
    from: evidenceOf(() => facts.from),
  };
  return {
    ok: false,
    account,
    chat,
    // Without an id of its own the content is the id, so that a second dispatch of the same message makes no second
    // dead letter.
    messageId:
      typeof facts.messageId === "string" && facts.messageId !== "" ? keyOfId(facts.messageId) : digest(evidence),
    reason: describeIssues(parsed.error),
    evidence,
  };
}

function timestampOf(timestampMs: unknown, nowMs: number): string {
  // Years beyond 9999 have no place in the contract's ISO 8601; WhatsApp never sends them, a broken phone clock might.
  const sane = typeof timestampMs === "number" && timestampMs >= 0 && timestampMs < Date.UTC(10_000, 0);
  return new Date(sane ? timestampMs : nowMs).toISOString();
}

/** What stood where something else belongs. */
function evidenceOf(read: () => unknown): unknown {
  const copied = boundedCopy(read, NOTHING);
  return copied === TOO_MUCH ? "(too large, or can't be read)" : (copied ?? null);
}

function digest(evidence: object): string {
  return `no-id-${createHash("sha256").update(JSON.stringify(evidence)).digest("hex").slice(0, 32)}`;
}
