import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { hkdf, MEDIA_HKDF_KEY_MAPPING, type MediaType, normalizeMessageContent, type proto } from "baileys";
import { type Context, contextInfo, type Upload } from "./content.ts";

/** The bytes of the MAC that follows the ciphertext of a media file. */
const MAC_BYTES = 10;

export interface FileOptions extends Context {
  /** Default: the usual one of the kind. */
  readonly mimetype?: string;
}

export interface CaptionedFileOptions extends FileOptions {
  readonly caption?: string;
}

/** What the messages of all kinds of media have in common. */
export interface FileFields {
  readonly mimetype: string;
  readonly mediaKey: Uint8Array;
  readonly directPath: string;
  readonly url: string;
  readonly fileSha256: Uint8Array;
  readonly fileEncSha256: Uint8Array;
  readonly fileLength: number;
  readonly mediaKeyTimestamp: number;
  readonly caption?: string;
  readonly contextInfo?: proto.IContextInfo;
}

/** Encrypts a file as phones do before they upload it: AES-CBC, then the head of an HMAC over IV and ciphertext. */
export function encryptFile(
  bytes: Uint8Array,
  type: MediaType,
  mimetype: string,
  { caption, ...context }: CaptionedFileOptions,
): { fields: FileFields; upload: Upload } {
  const mediaKey = randomBytes(32);
  const { iv, cipherKey, macKey } = keysOf(mediaKey, type);
  const cipher = createCipheriv("aes-256-cbc", cipherKey, iv);
  const ciphertext = Buffer.concat([cipher.update(bytes), cipher.final()]);
  const mac = createHmac("sha256", macKey).update(iv).update(ciphertext).digest().subarray(0, MAC_BYTES);
  const body = Buffer.concat([ciphertext, mac]);
  const path = `/v/t62.7118-24/${randomBytes(12).toString("hex")}.enc`;
  const info = contextInfo(context);
  const fields = {
    mimetype,
    mediaKey,
    directPath: path,
    url: `https://mmg.whatsapp.net${path}`,
    fileSha256: sha256(bytes),
    fileEncSha256: sha256(body),
    fileLength: bytes.byteLength,
    mediaKeyTimestamp: Math.floor(Date.now() / 1000),
    ...(caption !== undefined && { caption }),
    ...(info && { contextInfo: info }),
  };
  return { fields, upload: { path, body } };
}

/** The kinds of content with a file, and the kind of key that each is encrypted with. */
const KINDS = {
  imageMessage: "image",
  videoMessage: "video",
  audioMessage: "audio",
  documentMessage: "document",
  stickerMessage: "sticker",
} as const satisfies Partial<Record<keyof proto.IMessage, MediaType>>;

/**
 * The bytes of a message's file, from what was uploaded. @throws Error where it has none, or what was uploaded is not
 * what the message says: a phone shows no such file.
 */
export function decryptFile(message: proto.IMessage, uploaded: (path: string) => Buffer | undefined): Buffer {
  const inner = normalizeMessageContent(message) ?? message;
  const found = Object.entries(KINDS).find(([kind]) => inner[kind as keyof typeof KINDS]);
  const fields = found && inner[found[0] as keyof typeof KINDS];
  const body = fields?.directPath ? uploaded(fields.directPath) : undefined;
  if (!found || !fields?.mediaKey || !body) throw new Error("the message has no file, or nobody has uploaded it");
  if (!sha256(body).equals(fields.fileEncSha256 ?? Buffer.alloc(0)))
    throw new Error("the uploaded file is another one");
  const { iv, cipherKey, macKey } = keysOf(fields.mediaKey, found[1]);
  const ciphertext = body.subarray(0, -MAC_BYTES);
  const mac = createHmac("sha256", macKey).update(iv).update(ciphertext).digest().subarray(0, MAC_BYTES);
  if (!mac.equals(body.subarray(-MAC_BYTES))) throw new Error("the uploaded file has a wrong MAC");
  const decipher = createDecipheriv("aes-256-cbc", cipherKey, iv);
  const bytes = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  if (!sha256(bytes).equals(fields.fileSha256 ?? Buffer.alloc(0)))
    throw new Error("the file is not the one that was sent");
  return bytes;
}

function keysOf(mediaKey: Uint8Array, type: MediaType) {
  const expanded = Buffer.from(hkdf(mediaKey, 112, { info: `WhatsApp ${MEDIA_HKDF_KEY_MAPPING[type]} Keys` }));
  return { iv: expanded.subarray(0, 16), cipherKey: expanded.subarray(16, 48), macKey: expanded.subarray(48, 80) };
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
