import type { Content } from "./content.ts";
import { encryptFile, type FileOptions } from "./file.ts";

/** A sticker. */
export function sticker(bytes: Uint8Array, options: FileOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "sticker", options.mimetype ?? "image/webp", options);
  return { message: { stickerMessage: fields }, type: "media", mediaType: "sticker", text: "", upload };
}
