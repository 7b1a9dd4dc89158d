import * as z from "zod";
import { chatId } from "./address.ts";
import { shallow } from "./depth.ts";
import { MAX_COMMANDS } from "./limits.ts";
import { transportSession } from "./request.ts";

/** Where Hot Bags gives commands that answer no message, below `HOTBAGS_BASE_URL`. */
export const OUTBOX_PATH = "/api/integrations/whatsapp/outbox";

/** Where every outbox begins. */
export const FIRST_CURSOR = "0";

const CURSOR = "cursor must be a whole number from 0 to 2^63-1, as a number or as a string of its digits";

/** How far Hot Bags' outbox was read: a number that grows, as text. */
export const cursor = z
  .string(CURSOR)
  .regex(/^(0|[1-9]\d{0,18})$/, { error: CURSOR, abort: true })
  .refine((text) => BigInt(text) < 2n ** 63n, CURSOR)
  .describe("The place of the last command of this answer: what the next request asks for is after it.");

/** Whether a cursor is further on than another one. */
export function isFurther(one: string, other: string): boolean {
  return BigInt(one) > BigInt(other);
}

/** Where a command of the outbox goes: what an answer's command need not say. */
export const outboxAddress = z
  .looseObject({
    to: chatId.describe("The chat: E.164 for a direct chat, `...@g.us` for a group."),
    transport_session_id: transportSession.describe("The WhatsApp account that it leaves by: `whatsapp:<account>`."),
  })
  .describe("Where it goes.");
export type OutboxAddress = z.infer<typeof outboxAddress>;

/** The envelope of a 200 of the outbox. Its commands are judged one by one; an envelope that does not fit is never taken in part. */
export const outboxEnvelope = shallow.pipe(
  z
    .looseObject({
      cursor: cursor.optional(),
      commands: z.array(z.unknown()).max(MAX_COMMANDS, `must not have more than ${MAX_COMMANDS} entries`).optional(),
    })
    .refine(({ cursor: last, commands = [] }) => commands.length === 0 || last !== undefined, {
      path: ["cursor"],
      message: "must be there where there are commands",
    }),
);
