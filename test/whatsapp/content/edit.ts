import { proto } from "baileys";
import type { Content } from "./content.ts";

/** Another text in place of a message's own. */
export function edit(key: proto.IMessageKey, text: string): Content {
  const protocolMessage = {
    key,
    type: proto.Message.ProtocolMessage.Type.MESSAGE_EDIT,
    editedMessage: { conversation: text },
    timestampMs: Date.now(),
  };
  return { message: { editedMessage: { message: { protocolMessage } } }, type: "text", text, edit: "1" };
}
