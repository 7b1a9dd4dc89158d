import { describeIssues, keyOfId, shownName } from "@hotbags/shared";
import * as z from "zod";
import type { GatewayCall } from "../gateway/index.ts";
import { type CommandFromResponse, RowUnreadableError } from "../store/index.ts";
import { pauseChat, resumeChat } from "./chat-orders.ts";
import { EXTRAS, type Extras } from "./extras.ts";
import { type Kind, type ReplyFile, type StoredReply, UnsendableError } from "./kind.ts";
import { react } from "./react.ts";
import { sendMedia } from "./send-media.ts";
import { sendText } from "./send-text.ts";

export { EXTRAS, type Extras, NO_EXTRAS } from "./extras.ts";
export { type ReplyFile, UnsendableError } from "./kind.ts";
export { MAX_MEDIA_BYTES } from "./send-media.ts";

/** The commands of contract v1, by their `type`. */
export const KINDS = {
  send_text: sendText,
  pause_chat: pauseChat,
  resume_chat: resumeChat,
  send_media: sendMedia,
  react,
} as const satisfies Record<string, Kind>;

/** So much is kept of what a command calls its type, characters. */
const MAX_TYPE_LENGTH = 256;

/** What every bridge takes. */
const ALWAYS = Object.keys(KINDS).filter((type) => kindOf(type)?.extra === undefined);

/** `X-HotBags-Accept`: what of the contract may be used, in the order of the documentation. */
export function acceptHeader(extras: Extras): string {
  return [...ALWAYS, ...EXTRAS.filter((extra) => extras.has(extra))].join(", ");
}

function kindOf(type: string): Kind | undefined {
  return Object.hasOwn(KINDS, type) ? KINDS[type as keyof typeof KINDS] : undefined;
}

/**
 * One entry of `commands[]`. Whatever it is, it becomes a row: executable, or refused with the reason. What is not among
 * the `extras` is as unknown as what no contract names.
 */
export function readCommand(entry: unknown, extras: Extras): CommandFromResponse {
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  if (!extras.has("reply_to")) delete fields["reply_to"];
  const { command_id: id, type: given } = fields;
  const type = typeof given === "string" ? given.slice(0, MAX_TYPE_LENGTH) : null;
  const found = kindOf(type ?? "");
  const kind = found?.extra === undefined || extras.has(found.extra) ? found : undefined;
  // What is no object is judged as it is.
  const read = (kind ?? sendText).read(typeof entry === "object" && entry !== null ? fields : entry);
  if (!(read instanceof z.ZodError)) return { type, refusal: null, ...read };
  const refusal =
    kind || type === null
      ? { state: "failed" as const, reason: `not a valid command: ${describeIssues(read)}` }
      : { state: "skipped" as const, reason: whyUnknown(type, found) };
  const commandId = typeof id === "string" && id !== "" ? keyOfId(id) : null;
  return { commandId, type, text: null, payload: JSON.stringify(entry) ?? "null", refusal };
}

function whyUnknown(type: string, found: Kind | undefined): string {
  if (found) return `the type "${type}" is switched off here (HOTBAGS_COMMANDS, X-HotBags-Accept)`;
  return `the type "${shownName(type)}" is not known here`;
}

type Reply = StoredReply & { id: number; type: string };

/**
 * What the gateway is asked for to send a reply. Throws UnsendableError, and RowUnreadableError where what was kept of it
 * is none.
 */
export function callOf({ id, type, ...reply }: Reply, file: ReplyFile | null): GatewayCall {
  try {
    const { call } = kindOf(type) ?? {};
    if (!call) throw new Error("the type is no reply's");
    return call(reply, file);
  } catch (error) {
    if (error instanceof UnsendableError) throw error;
    throw new RowUnreadableError("command", id, error);
  }
}

/** Where the file of a reply has to be fetched from before it is sent; null: nowhere. Throws RowUnreadableError. */
export function sourceOf({ id, type, ...reply }: Reply): URL | null {
  try {
    return kindOf(type)?.sourceOf?.(reply) ?? null;
  } catch (error) {
    throw new RowUnreadableError("command", id, error);
  }
}

/** Whether OpenClaw tells that such a reply has gone out, with its text. */
export function isObserved(type: string): boolean {
  return kindOf(type)?.isObserved ?? false;
}
