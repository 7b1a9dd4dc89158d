import * as z from "zod";
import { literal } from "../gateway/index.ts";
import { commandId } from "./command-id.ts";
import { defineKind } from "./kind.ts";
import { replyText } from "./reply-text.ts";
import { replyTo } from "./reply-to.ts";

/** What is kept besides the text. */
const stored = z.object({ reply_to: replyTo });

export const sendText = defineKind({
  title: "SendText",
  isObserved: true,
  schema: z
    .looseObject({ command_id: commandId, type: z.literal("send_text"), text: replyText, reply_to: replyTo })
    .describe("Send a text into the chat that the message came from."),
  record({ type, text, reply_to }) {
    // As earlier releases have it, where nothing is new: a text that they have sent is known again.
    if (reply_to === undefined) return { text, payload: JSON.stringify([type, text]) };
    return { text, details: JSON.stringify({ reply_to }), payload: JSON.stringify([type, text, { reply_to }]) };
  },
  call({ text, details }) {
    const { reply_to: replyToId } = details === null ? {} : stored.parse(JSON.parse(details));
    return { method: "send", params: { message: literal(text), ...(replyToId !== undefined && { replyToId }) } };
  },
});
