import type { Content } from "./content.ts";
import { type CaptionedFileOptions, encryptFile } from "./file.ts";

/** A picture, with or without a caption. */
export function image(bytes: Uint8Array, options: CaptionedFileOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "image", options.mimetype ?? "image/jpeg", options);
  return { message: { imageMessage: fields }, type: "media", mediaType: "image", text: options.caption ?? "", upload };
}
