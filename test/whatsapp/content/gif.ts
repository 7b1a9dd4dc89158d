import type { Content } from "./content.ts";
import { type CaptionedFileOptions, encryptFile } from "./file.ts";

/** A GIF, which WhatsApp sends as a film without sound that plays by itself. */
export function gif(bytes: Uint8Array, options: CaptionedFileOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "video", options.mimetype ?? "video/mp4", options);
  const videoMessage = { ...fields, gifPlayback: true };
  return { message: { videoMessage }, type: "media", mediaType: "gif", text: options.caption ?? "", upload };
}
