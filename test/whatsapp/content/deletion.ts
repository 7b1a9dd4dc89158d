import { proto } from "baileys";
import type { Content } from "./content.ts";

/** Deletes a message for everyone. */
export function deletion(key: proto.IMessageKey): Content {
  const protocolMessage = { key, type: proto.Message.ProtocolMessage.Type.REVOKE };
  return { message: { protocolMessage }, type: "text", text: "", edit: "7" };
}
