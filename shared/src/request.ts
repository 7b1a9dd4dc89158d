import * as z from "zod";
import { chatId, e164 } from "./address.ts";
import { sha256 } from "./message.ts";

/**
 * The contract that a request keeps to, in the header `X-HotBags-Contract`. Only what an older backend would
 * misunderstand gets another number: contract/CHANGELOG.md has the rule.
 */
export const CONTRACT_VERSION = 1;

/** As every body to Hot Bags has it. */
export const transportSession = z
  .string()
  .regex(/^whatsapp:[\w.-]{1,64}$/, "must be whatsapp:<account>")
  .describe("The WhatsApp account that it came by: `whatsapp:<account>`.");

/** An attachment as Hot Bags gets it. */
const requestItem = z
  .strictObject({
    type: z.enum(["image", "video", "audio", "document", "sticker", "unknown"]).describe("What kind of file it is."),
    mime_type: z.string().min(1).nullable().describe("Its media type, as WhatsApp says it; null where it does not."),
    file_name: z.string().nullable().describe("Its name, which the sender chose; null where it has none."),
    size_bytes: z.int().nonnegative().nullable().describe("Bytes of the file; null where nobody knows."),
    sha256: sha256.nullable().describe("SHA-256 of the file's bytes, in lower-case hex."),
    data_base64: z.base64().optional().describe("The file's bytes. Either this or `omitted` is there."),
    omitted: z.string().min(1).max(256).optional().describe("Why there are no bytes: a sentence for people."),
  })
  .describe("An attachment, with its bytes or with the reason why they are missing.");

/** The body of a request to Hot Bags. Written from the contract, not from what the sidecar renders: it judges that. */
export const requestBody = z
  .strictObject({
    message_id: z
      .string()
      .regex(/^[\x21-\x7e]{1,256}$/, "must be 1 to 256 visible ASCII characters")
      .describe("WhatsApp's id of the message, and the idempotency key."),
    chat_id: chatId.describe("Where it was written: E.164 for a direct chat, `...@g.us` for a group."),
    from: e164.describe("Who wrote it, E.164."),
    text: z.string().describe("The text or caption as it was written; empty where there is none."),
    media: z.array(requestItem).describe("Attachments, in order."),
    timestamp: z.iso.datetime({ precision: 3 }).describe("When WhatsApp got it, ISO 8601 in UTC."),
    raw: z.record(z.string(), z.unknown()).describe("What else OpenClaw knows of the message, in OpenClaw's words."),
    transport_session_id: transportSession,
  })
  .describe("A customer's message.");
export type RequestBody = z.infer<typeof requestBody>;
