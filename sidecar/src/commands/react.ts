import { groupId, MAX_ID_LENGTH } from "@hotbags/shared";
import * as z from "zod";
import { commandId } from "./command-id.ts";
import { defineKind, UnsendableError } from "./kind.ts";

/** Some are written with a selector that asks for their colourful form, and mostly without it. */
const isEmoji = (text: string) => /^\p{RGI_Emoji}$/v.test(text) || /^\p{RGI_Emoji}$/v.test(`${text}\ufe0f`);

const messageId = z
  .string()
  .min(1)
  .max(MAX_ID_LENGTH)
  .optional()
  .describe("Which message of the customer's in the same chat. Default: the one that is answered.");

export const react = defineKind({
  title: "React",
  extra: "react",
  schema: z
    .looseObject({
      command_id: commandId,
      type: z.literal("react"),
      emoji: z
        .string()
        .max(64)
        .refine((text) => text === "" || isEmoji(text), 'emoji must be one emoji, or "" to take it back')
        .describe('One emoji, in place of an earlier one; `""` takes it back.'),
      message_id: messageId,
    })
    .describe("Put an emoji on a message of the customer. In direct chats only."),
  record: ({ type, emoji, message_id }) => ({
    text: emoji,
    details: JSON.stringify({ message_id }),
    payload: JSON.stringify([type, emoji, message_id]),
  }),
  call({ text: emoji, details, chat_id, message_id: answered }) {
    const { message_id = answered } = z.object({ message_id: messageId }).parse(JSON.parse(details ?? ""));
    // There WhatsApp wants to know whose message it is, by a name (LID) that OpenClaw does not tell.
    if (groupId.safeParse(chat_id).success) throw new UnsendableError("a reaction can be sent in direct chats only");
    return { method: "message.action", action: "react", params: { messageId: message_id, emoji } };
  },
});
