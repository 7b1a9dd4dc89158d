import * as z from "zod";
import { literal } from "../gateway/index.ts";
import { commandId } from "./command-id.ts";
import { defineKind } from "./kind.ts";
import { replyText } from "./reply-text.ts";

export const sendText = defineKind({
  title: "SendText",
  schema: z
    .looseObject({ command_id: commandId, type: z.literal("send_text"), text: replyText })
    .describe("Send a text into the chat that the message came from."),
  record: ({ type, text }) => ({ text, payload: JSON.stringify([type, text]) }),
  call: ({ text }) => ({ method: "send", params: { message: literal(text) } }),
});
