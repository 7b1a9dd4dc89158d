import type { proto } from "baileys";
import type { Content } from "./content.ts";

/** An emoji on a message; "" takes the one that is there away. */
export function reaction(key: proto.IMessageKey, emoji: string): Content {
  const reactionMessage = { key, text: emoji, senderTimestampMs: Date.now() };
  return { message: { reactionMessage }, type: "reaction", text: "", ...(emoji === "" && { edit: "7" }) };
}
