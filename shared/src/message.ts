import * as z from "zod";
import { accountId, chatId, e164 } from "./address.ts";
import { jsonObject } from "./depth.ts";
import { MAX_MEDIA_ITEMS } from "./limits.ts";

/** The SHA-256 of a file's bytes, in lower-case hex: the name under which its bytes are stored. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256 in lower-case hex");

/** Why a message goes without the bytes of an attachment: all that `omitted` ever says to Hot Bags (docs/contract/README.md). */
export const OMITTED = {
  tooLarge: "larger than the limit for files",
  unreadable: "the file could not be read",
  noRoom: "no room for it",
  tooLargeToInline: "too large to send along",
  lost: "the file was lost",
} as const;
export type Omitted = (typeof OMITTED)[keyof typeof OMITTED];

/**
 * One attachment. Without `omitted`, the sidecar has its bytes under `sha256` before the message comes (docs/wire.md, "Files");
 * with it, there are no bytes, and it says why.
 */
export const mediaItem = z
  .strictObject({
    type: z.enum(["image", "video", "audio", "document", "sticker", "unknown"]),
    mime_type: z.string().max(256).nullable(),
    file_name: z.string().max(1024).nullable(),
    size_bytes: z.int().nonnegative().nullable(),
    sha256: sha256.nullable(),
    omitted: z.string().min(1).max(256).optional(),
  })
  .refine(
    ({ omitted, sha256, size_bytes }) => omitted !== undefined || (sha256 !== null && size_bytes !== null),
    "must have sha256 and size_bytes, or say in omitted why there are no bytes",
  );
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
  raw: jsonObject,
});
export type InboundMessage = z.infer<typeof inboundMessage>;
