import { z } from "zod";
import { accountId, chatId, e164 } from "./address.ts";
import { MAX_MEDIA_ITEMS } from "./limits.ts";

/** One attachment as Hot Bags is told of it. Either the bytes come along or `omitted` says why not. */
export const mediaItem = z.strictObject({
  type: z.enum(["image", "video", "audio", "document", "sticker", "unknown"]),
  mime_type: z.string().max(256).nullable(),
  file_name: z.string().max(1024).nullable(),
  size_bytes: z.int().nonnegative().nullable(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  data_base64: z.string().optional(),
  omitted: z.string().max(256).optional(),
});
export type MediaItem = z.infer<typeof mediaItem>;

/** A customer's message as the plugin captured it: the Hot Bags contract's fields, with the account in place of the session id. */
export const inboundMessage = z.strictObject({
  account_id: accountId,
  /** WhatsApp's own id. It becomes an HTTP header, so it must be fit for one. */
  message_id: z.string().regex(/^[\x21-\x7e]{1,256}$/, "must be 1 to 256 visible ASCII characters"),
  chat_id: chatId,
  from: e164,
  text: z.string(),
  media: z.array(mediaItem).max(MAX_MEDIA_ITEMS),
  timestamp: z.iso.datetime({ precision: 3 }),
  raw: z.record(z.string(), z.json()),
});
export type InboundMessage = z.infer<typeof inboundMessage>;
