import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from "baileys";
import type { Account } from "../account.ts";
import type { Directory } from "../directory.ts";
import { node, result } from "./reply.ts";

/** Answers `xmlns=encrypt`: the bot's own keys, and those of the people it writes to. */
export function answerKeys(iq: BinaryNode, account: Account, directory: Directory): BinaryNode {
  if (getBinaryNodeChild(iq, "count")) return result(iq, [node("count", { value: String(account.keys.count) })]);
  if (getBinaryNodeChild(iq, "digest")) return result(iq, [node("digest")]);
  const rotation = getBinaryNodeChild(iq, "rotate");
  if (rotation) account.keys.rotate(rotation);
  else if (getBinaryNodeChild(iq, "list")) account.keys.upload(iq);
  const wanted = getBinaryNodeChild(iq, "key");
  if (!wanted) return result(iq);
  return result(iq, [
    node(
      "list",
      {},
      getBinaryNodeChildren(wanted, "user").map((user) => bundleOf(user, directory)),
    ),
  ]);
}

function bundleOf(user: BinaryNode, directory: Directory): BinaryNode {
  const jid = user.attrs["jid"] ?? "";
  const contact = directory.contactAt(jid);
  const device = contact?.registered ? contact.device : directory.accountAt(jid)?.phone;
  if (!device) return node("user", { jid }, [node("error", { code: "404", text: "item-not-found" })]);
  return node("user", { jid }, [device.registration(), ...device.bundle()]);
}
