import type { ReplyFile } from "../commands/index.ts";
import type { Store, WaitingCommand } from "../store/index.ts";

/** The file that came with a command itself; null: none did. */
export function storedFile({ id, details }: WaitingCommand, commands: Store["commands"]): ReplyFile | null {
  // Of most replies, which are texts alone, nothing more is read.
  const bytes = details === null ? null : commands.fileOf(id);
  return bytes && { bytes, type: "application/octet-stream" };
}
