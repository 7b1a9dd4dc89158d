import * as z from "zod";

/** The longest text that WhatsApp takes, in UTF-16 units. OpenClaw cuts it into 17 messages; a longer one is a mistake, and would be many more. */
const MAX_REPLY_CHARACTERS = 65_536;

const TOO_LONG = `text must not be longer than ${MAX_REPLY_CHARACTERS} characters`;

/** Words for a customer. */
export const replyText = z
  .string()
  .max(MAX_REPLY_CHARACTERS, { error: TOO_LONG, abort: true })
  // zod counts code points, as JSON Schema does: a text of emoji alone would be twice as many messages.
  .refine((text) => text.length <= MAX_REPLY_CHARACTERS, TOO_LONG)
  .regex(/\S/, "text must not be empty")
  .describe("What the customer gets, character for character.");
