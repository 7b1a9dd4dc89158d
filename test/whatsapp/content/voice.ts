import type { Content } from "./content.ts";
import { encryptFile, type FileOptions } from "./file.ts";

export interface VoiceOptions extends FileOptions {
  /** Its length in seconds. Default 1. */
  readonly seconds?: number;
}

/** A voice message. */
export function voice(bytes: Uint8Array, { seconds = 1, ...options }: VoiceOptions = {}): Content {
  const { fields, upload } = encryptFile(bytes, "audio", options.mimetype ?? "audio/ogg; codecs=opus", options);
  const audioMessage = { ...fields, seconds, ptt: true };
  return { message: { audioMessage }, type: "media", mediaType: "ptt", text: "", upload };
}
