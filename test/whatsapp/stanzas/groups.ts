import { type BinaryNode, getBinaryNodeChild } from "baileys";
import type { Directory } from "../directory.ts";
import type { Group } from "../group.ts";
import type { Addresses } from "../jid.ts";
import { failure, node, result } from "./reply.ts";

/** Answers `xmlns=w:g2`: a group's metadata, or that of all groups. */
export function answerGroups(iq: BinaryNode, directory: Directory): BinaryNode {
  if (getBinaryNodeChild(iq, "participating")) {
    const groups = [...directory.groups.values()].map((group) => describeGroup(group, directory));
    return result(iq, [node("groups", {}, groups)]);
  }
  const group = directory.groups.get(iq.attrs["to"] ?? "");
  return group ? result(iq, [describeGroup(group, directory)]) : failure(iq, 404, "item-not-found");
}

function describeGroup(group: Group, directory: Directory): BinaryNode {
  const created = String(Math.floor(group.createdAt.getTime() / 1000));
  const bots = [...directory.accounts.values()].map(({ addresses }) => addresses);
  const members = group.members.map(({ addresses }) => addresses);
  const creator = (members[0] ?? bots[0])?.lid ?? "";
  const attrs = {
    id: group.id.replace("@g.us", ""),
    subject: group.subject,
    s_t: created,
    s_o: creator,
    creation: created,
    creator,
    size: String(bots.length + members.length),
    addressing_mode: "lid",
  };
  return node("group", attrs, [...bots, ...members].map(participant));
}

function participant({ lid, pn }: Addresses): BinaryNode {
  return node("participant", { jid: lid, phone_number: pn });
}
