import type { Content } from "./content.ts";
import { encryptFile, type FileOptions } from "./file.ts";

export interface AudioOptions extends FileOptions {
  /** Its length in seconds. Default 1. */
  readonly seconds?: number;
}

/** A sound file, such as a song that is sent on; what is spoken into the phone is a `voice`. */
export function audio(bytes: Uint8Array, { seconds = 1, ...options }: AudioOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "audio", options.mimetype ?? "audio/mp4", options);
  return { message: { audioMessage: { ...fields, seconds } }, type: "media", mediaType: "audio", text: "", upload };
}
