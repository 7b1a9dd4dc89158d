import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { hkdf, MEDIA_HKDF_KEY_MAPPING, type MediaType, type proto } from "baileys";
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
  const expanded = Buffer.from(hkdf(mediaKey, 112, { info: `WhatsApp ${MEDIA_HKDF_KEY_MAPPING[type]} Keys` }));
  const [iv, cipherKey, macKey] = [expanded.subarray(0, 16), expanded.subarray(16, 48), expanded.subarray(48, 80)];
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

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
