import { MAX_RAW_BYTES } from "@hotbags/shared";
import { boundedCopy, type Json, MAX_FIELD_BYTES, TOO_MUCH } from "./bounded.ts";

/** Names listed in `_omitted`. */
const MAX_OMITTED = 64;
/** Kept free for `_omitted` itself and for the punctuation between fields. */
const RESERVED_BYTES = 8 * 1024;

/** Where OpenClaw lists the parts of a message that have no field of their own: contact cards above all. */
const PARTS = "ChannelStructuredContext";

/**
 * Left out without a word, wherever it stands. The first group repeats `text`, partly wrapped in an envelope with other
 * people's messages (a group's history); the second repeats `media` and names files of this machine; the third is
 * OpenClaw's plumbing; the fourth repeats other fields of `raw`. GroupMembers is left out for being wrong: OpenClaw
 * writes the LID of a member as if it were a phone number.
 */
const LEFT_OUT = new Set([
  ...["Body", "BodyForAgent", "BodyForCommands", "BodyStripped", "CommandBody", "RawBody"],
  ...["agentText", "commandText", "rawText", "InboundHistory", "SessionTranscriptContext", "content"],
  ...["media", "path", "url", "workspaceDir", "OutputDir", "OutputBase", "mediaRef", "ConversationAvatar"],
  ...["MediaDir", "MediaPath", "MediaPaths", "MediaUrl", "MediaUrls", "MediaWorkspaceDir"],
  ...["mediaPath", "mediaPaths", "mediaUrl", "mediaUrls"],
  ...["CommandTurn", "CommandSource", "CommandAuthorized", "InboundEventKind", "GroupRequireMention"],
  ...["SessionKey", "sessionKey", "AgentId", "DmScope", "GroupSystemPrompt"],
  ...["ConversationToolPolicy", "ReplyThreading", "SuppressMessageReceivedHooks", "InboundAccessAuthorized"],
  ...["trace", "traceId", "spanId", "parentSpanId", "runId", "GatewayRunToolBindings", "SessionCreation"],
  ...["From", "ConversationLabel", "SenderId", "Surface", "OriginatingChannel", "OriginatingTo"],
  "GroupMembers",
]);

/**
 * A copy of OpenClaw's own view of a message as plain JSON of at most `MAX_RAW_BYTES`: no functions, no bytes, no file
 * paths. What was too large is named in `_omitted`, so that its absence is not mistaken for emptiness. Never throws.
 */
export function rawOf(context: object): Record<string, Json> {
  const raw: Record<string, Json> = {};
  const omitted: string[] = [];
  let left = MAX_RAW_BYTES - RESERVED_BYTES;
  for (const key of Object.keys(context)) {
    if (LEFT_OUT.has(key) || key.length > 128) continue;
    // The message goes on without a field that is too much.
    const copied = boundedCopy(() => (context as Record<string, unknown>)[key], LEFT_OUT);
    const value = key === PARTS ? partsBesideMedia(copied) : copied;
    // Contact cards are nowhere else, and WhatsApp sends up to 257 in one message.
    const limit = key === PARTS ? left : MAX_FIELD_BYTES;
    if (value === undefined) continue;
    const bytes =
      value === TOO_MUCH ? Number.POSITIVE_INFINITY : Buffer.byteLength(JSON.stringify(value)) + key.length + 4;
    if (value === TOO_MUCH || bytes > limit || bytes > left) {
      omitted.push(key);
      continue;
    }
    left -= bytes;
    raw[key] = value;
  }
  if (omitted.length > 0) raw["_omitted"] = omitted.slice(0, MAX_OMITTED);
  return raw;
}

/** The message's parts without those that only repeat `media`; nothing if no other is left. */
function partsBesideMedia(parts: Json | typeof TOO_MUCH | undefined): typeof parts {
  if (!Array.isArray(parts)) return parts;
  const others = parts.filter((part) => (part as { type?: Json } | null)?.type !== "media");
  return others.length > 0 ? others : undefined;
}
