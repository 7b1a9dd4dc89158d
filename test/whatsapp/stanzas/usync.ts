import {
  type BinaryNode,
  getAllBinaryNodeChildren,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  getBinaryNodeChildString,
} from "baileys";
import type { Directory } from "../directory.ts";
import { node, nowSeconds, result } from "./reply.ts";

/** Answers `xmlns=usync`: who is on WhatsApp, with which devices, under which LID. */
export function answerUsync(iq: BinaryNode, directory: Directory): BinaryNode {
  const usync = getBinaryNodeChild(iq, "usync");
  const asked = getBinaryNodeChild(usync, "query");
  const protocols = asked ? getAllBinaryNodeChildren(asked).map(({ tag }) => tag) : [];
  const users = getBinaryNodeChildren(getBinaryNodeChild(usync, "list"), "user");
  const list = users.map((user) => {
    const phone = getBinaryNodeChildString(user, "contact");
    const jid = user.attrs["jid"] ?? `${phone?.replace(/\D/g, "")}@s.whatsapp.net`;
    return node(
      "user",
      { jid },
      protocols.flatMap((protocol) => answerProtocol(protocol, jid, directory)),
    );
  });
  return result(iq, [node("usync", { ...usync?.attrs }, [node("result"), node("list", {}, list)])]);
}

function answerProtocol(protocol: string, jid: string, directory: Directory): BinaryNode[] {
  const contact = directory.contactAt(jid);
  const account = directory.accountAt(jid);
  const addresses = contact?.registered ? contact.addresses : account?.addresses;
  switch (protocol) {
    case "contact":
      return [node("contact", { type: addresses ? "in" : "out" })];
    case "lid":
      // Asked by LID, Baileys would take the address it asked for as the phone number.
      return addresses && jid.endsWith("@s.whatsapp.net") ? [node("lid", { val: addresses.lid })] : [];
    case "devices":
      return [node("devices", {}, [node("device-list", { hash: "2:0" }, addresses ? devices(account?.device) : [])])];
    case "status":
      return [node("status", { t: nowSeconds() })];
    default:
      return [];
  }
}

/** Every user has a phone, device 0; the bot's number has the bot as its companion. */
function devices(companion: number | undefined): BinaryNode[] {
  const phone = node("device", { id: "0" });
  return companion ? [phone, node("device", { id: String(companion), "key-index": String(companion) })] : [phone];
}
