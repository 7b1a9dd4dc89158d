import type { Content } from "./content.ts";
import { type CaptionedFileOptions, encryptFile } from "./file.ts";

/** A film, with or without a caption. */
export function video(bytes: Uint8Array, options: CaptionedFileOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "video", options.mimetype ?? "video/mp4", options);
  return { message: { videoMessage: fields }, type: "media", mediaType: "video", text: options.caption ?? "", upload };
}
