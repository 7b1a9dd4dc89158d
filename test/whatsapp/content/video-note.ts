import type { Content } from "./content.ts";
import { encryptFile, type FileOptions } from "./file.ts";

/** A film recorded in the chat like a voice message, which phones show in a circle. */
export function videoNote(bytes: Uint8Array, options: FileOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "video", options.mimetype ?? "video/mp4", options);
  return { message: { ptvMessage: fields }, type: "media", mediaType: "ptv", text: "", upload };
}
