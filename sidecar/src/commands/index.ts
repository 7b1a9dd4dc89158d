import { describeIssues, keyOfId, shownName } from "@hotbags/shared";
import * as z from "zod";
import type { GatewayCall } from "../gateway/index.ts";
import type { CommandFromResponse } from "../store/index.ts";
import { pauseChat, resumeChat } from "./chat-orders.ts";
import type { Kind, StoredReply } from "./kind.ts";
import { sendText } from "./send-text.ts";

/** The commands of contract v1, by their `type`. */
export const KINDS = { send_text: sendText, pause_chat: pauseChat, resume_chat: resumeChat } as const satisfies Record<
  string,
  Kind
>;

/** So much is kept of what a command calls its type, characters. */
const MAX_TYPE_LENGTH = 256;

function kindOf(type: string): Kind | undefined {
  return Object.hasOwn(KINDS, type) ? KINDS[type as keyof typeof KINDS] : undefined;
}

/** One entry of `commands[]`. Whatever it is, it becomes a row: executable, or refused with the reason. */
export function readCommand(entry: unknown): CommandFromResponse {
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  const { command_id: id, type: given } = fields;
  const type = typeof given === "string" ? given.slice(0, MAX_TYPE_LENGTH) : null;
  const kind = kindOf(type ?? "");
  const read = (kind ?? sendText).read(entry);
  if (!(read instanceof z.ZodError)) return { type, refusal: null, ...read };
  const refusal =
    kind || type === null
      ? { state: "failed" as const, reason: `not a valid command: ${describeIssues(read)}` }
      : { state: "skipped" as const, reason: `the type "${shownName(type)}" is not known here` };
  const commandId = typeof id === "string" && id !== "" ? keyOfId(id) : null;
  return { commandId, type, text: null, payload: JSON.stringify(entry) ?? "null", refusal };
}

/** What the gateway is asked for to send a reply. Earlier releases knew texts alone. */
export function callOf(type: string, reply: StoredReply): GatewayCall {
  const { call = sendText.call } = kindOf(type) ?? sendText;
  if (!call) throw new Error(`${type} is no reply`);
  return call(reply);
}
