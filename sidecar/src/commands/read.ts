import { describeIssues, keyOfId, shownName } from "@hotbags/shared";
import * as z from "zod";
import type { CommandFromResponse } from "../store/index.ts";
import { pauseChat, resumeChat } from "./chat-orders.ts";
import { EXTRAS, type Extras } from "./extras.ts";
import type { Kind } from "./kind.ts";
import { react } from "./react.ts";
import { sendMedia } from "./send-media.ts";
import { sendText } from "./send-text.ts";

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

export function kindOf(type: string): Kind | undefined {
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
