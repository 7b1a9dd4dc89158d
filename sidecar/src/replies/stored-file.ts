import type { ReplyFile } from "../commands/index.ts";

/** The file that came with a command itself; null: none did. */
export function storedFile(bytes: Buffer | null): ReplyFile | null {
  return bytes && { bytes, type: "application/octet-stream" };
}
