import * as z from "zod";
import { inboundMessage } from "./message.ts";
import { shownVersion } from "./shown.ts";

/** The version of the frames below. A peer that speaks another one is refused by name. docs/wire.md is the specification. */
export const WIRE_VERSION = 1;

const frame = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.strictObject({ v: z.literal(WIRE_VERSION), type: z.literal(type), ...shape });

/**
 * The first frame of each side. It may say more than is known here: what a later release adds must not keep the other
 * half of an update from being understood, and named.
 */
const greeting = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ v: z.literal(WIRE_VERSION), type: z.literal(type), ...shape });

/** A number that the plugin gives a message on this connection; the answer to the message carries it back. */
const ref = z.int().nonnegative();

const helloFrame = greeting("hello", {
  plugin_version: z.string().max(64).transform(shownVersion),
  openclaw_version: z.string().max(64).transform(shownVersion),
});
const messageFrame = frame("message", { ref, message: inboundMessage });
/**
 * What became of a text that the gateway was to send: it went out, which proves a command in doubt, or the gateway has
 * dropped it from its own queue.
 */
const sentFrame = frame("sent", {
  account_id: z.string().max(64),
  to: z.string().max(128),
  /** SHA-256 of the text in hex: enough to recognise a reply without carrying it again. */
  text_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  success: z.boolean(),
  /** Why it was dropped, in OpenClaw's words, numbers masked; absent where it went out. */
  reason: z.string().max(300).optional(),
  whatsapp_message_id: z.string().max(256).nullable(),
  at: z.iso.datetime({ precision: 3 }),
});
/** The state of the outbox, sent now and then for the operator's eyes. */
const statusFrame = frame("status", {
  outbox_messages: z.int().nonnegative(),
  outbox_bytes: z.int().nonnegative(),
  oldest_at: z.iso.datetime({ precision: 3 }).nullable(),
  /** Dead letters in the outbox. */
  parked_messages: z.int().nonnegative(),
});
/** Everything the plugin sends. */
export const pluginFrame = z.discriminatedUnion("type", [helloFrame, messageFrame, sentFrame, statusFrame]);
export type PluginFrame = z.infer<typeof pluginFrame>;

const welcomeFrame = greeting("welcome", {
  sidecar_version: z.string().max(64),
  /** How many messages may be under way without an ack. */
  credit: z.int().positive(),
  max_frame_bytes: z.int().positive(),
});
/** The message is on the sidecar's disk: the plugin may forget it. `duplicate` says that it was there already. */
const ackFrame = frame("ack", { ref, duplicate: z.boolean() });
export const refusalCode = z.enum([
  "bad_json",
  "bad_frame",
  "bad_message",
  "too_large",
  "bad_version",
  "no_hello",
  "not_stored",
  "no_file",
]);
export type RefusalCode = z.infer<typeof refusalCode>;
/**
 * A frame was not taken. With `ref` it concerns that message. `retry` true: the same frame may be sent again later (a full disk);
 * false: it would be refused again, so the plugin makes it a dead letter and says so.
 */
const refusedFrame = frame("refused", {
  ref: ref.nullable(),
  code: refusalCode,
  reason: z.string().max(2048),
  retry: z.boolean(),
});
/** Everything the sidecar sends. */
export const sidecarFrame = z.discriminatedUnion("type", [welcomeFrame, ackFrame, refusedFrame]);
export type SidecarFrame = z.infer<typeof sidecarFrame>;

export type Parsed<Frame> =
  | { ok: true; frame: Frame }
  | { ok: false; code: RefusalCode; reason: string; ref: number | null };

/** What can be made out of a frame that is no other way to be read. Made once: zod compiles a schema at its first use. */
const frameHead = z.looseObject({ v: z.unknown().optional(), ref: ref.optional().catch(undefined) });

/**
 * Reads one text frame. Never throws: what cannot be read comes back as a refusal with the sentence to send and to log,
 * and with the `ref` it concerns where one can still be made out. The sentence never quotes the frame's content.
 */
export function parseFrame<Frame>(schema: z.ZodType<Frame>, text: string): Parsed<Frame> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, code: "bad_json", reason: "the frame is not JSON", ref: null };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, frame: parsed.data };
  const head = frameHead.safeParse(json);
  const about = head.success ? (head.data.ref ?? null) : null;
  if (head.success && head.data.v !== WIRE_VERSION) {
    const { v } = head.data;
    const theirs = Number.isInteger(v) && Math.abs(Number(v)) < 1_000 ? String(v) : "none";
    const reason = `wire version ${theirs} is not spoken here, only ${WIRE_VERSION}: install the plugin and the sidecar of one release`;
    return { ok: false, code: "bad_version", reason, ref: about };
  }
  return {
    ok: false,
    code: about === null ? "bad_frame" : "bad_message",
    reason: describeIssues(parsed.error),
    ref: about,
  };
}

/**
 * zod's findings in one line: `message.chat_id: must be ...; message.text: ...`. Paths and rules only, no values, and
 * of names that others chose those that look like a field's: the rest of a path is `…`.
 */
export function describeIssues(error: z.ZodError): string {
  const lines = error.issues.slice(0, 5).map((issue) => `${pathOf(issue) || "it"}: ${ruleOf(issue)}`);
  return lines.join("; ").slice(0, 1024);
}

/** As fields are named, of ours, of OpenClaw's and of the environment. */
const FIELD = /^(?!.*\d{4})[a-z][\w-]{0,63}$/i;

/** Below it, names are OpenClaw's and its customers' alone. */
const RAW = "raw";

const isField = (key: PropertyKey) => typeof key === "number" || (typeof key === "string" && FIELD.test(key));

function pathOf({ path }: z.core.$ZodIssue): string {
  const foreign = path.findIndex((key, n) => !isField(key) || path[n - 1] === RAW);
  const shown = foreign === -1 ? path : [...path.slice(0, foreign), "…"];
  return shown.map(String).join(".");
}

function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "unrecognized_keys") return issue.message;
  const named = issue.keys.filter(isField).slice(0, 5);
  return `has fields that are not known here${named.length > 0 ? `: ${named.join(", ")}` : ""}`;
}
