import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren, proto, unpadRandomMax16 } from "baileys";
import type { Account } from "./account.ts";
import type { Contact } from "./contact.ts";
import type { Directory } from "./directory.ts";
import type { Group } from "./group.ts";

/** What one phone made of a message of the bot. */
export type Reading = { readonly reader: Contact } & ({ readonly message: proto.IMessage } | { readonly error: Error });

/** A phone's part of a message: none where the bot left the phone out. */
type Parts = ReadonlyMap<Contact, BinaryNode>;

/** Decrypts a direct message with the store of the phone that it is for; nothing if the bot encrypted for no phone. */
export async function readDirect(stanza: BinaryNode, account: Account, directory: Directory): Promise<Reading[]> {
  const parts = new Map(partsOf(stanza, directory));
  const reader = directory.contactAt(stanza.attrs["to"] ?? "");
  const enc = getBinaryNodeChild(stanza, "enc");
  if (reader && enc) parts.set(reader, enc);
  return Promise.all([...parts].map(([contact, part]) => reading(contact, () => decrypt(contact, account, part))));
}

/** Decrypts a group message with the store of each member: first the sender key that may come with it, then the message. */
export async function readInGroup(
  stanza: BinaryNode,
  account: Account,
  group: Group,
  directory: Directory,
): Promise<Reading[]> {
  const parts = partsOf(stanza, directory);
  const enc = getBinaryNodeChild(stanza, "enc");
  const resentTo = stanza.attrs["participant"];
  const readers = resentTo ? group.members.filter((member) => directory.contactAt(resentTo) === member) : group.members;
  return Promise.all(
    readers.map((member) =>
      reading(member, async () => {
        const part = parts.get(member);
        let message = part ? await decrypt(member, account, part) : undefined;
        const distribution = message?.senderKeyDistributionMessage?.axolotlSenderKeyDistributionMessage;
        if (distribution) await member.device.senderKeys.learn(group.id, account.peer, distribution);
        if (enc?.attrs["type"] === "skmsg") {
          const bytes = await member.device.senderKeys.decrypt(group.id, account.peer, contentOf(enc));
          message = proto.Message.decode(unpadRandomMax16(bytes));
        } else if (enc) {
          message = await decrypt(member, account, enc);
        }
        if (!message) throw new Error("nothing in the stanza is for this member");
        return message;
      }),
    ),
  );
}

/** The copy that the bot encrypts for its owner's phone: the only readable one where the addressee isn't on WhatsApp. */
export async function readOwnCopy(stanza: BinaryNode, account: Account): Promise<proto.IMessage | undefined> {
  const own = addressed(stanza).find(([jid]) => account.owns(jid))?.[1];
  if (!own) return undefined;
  const bytes = await account.phone
    .decrypt(account.peer, own.attrs["type"] ?? "", contentOf(own))
    .catch(() => undefined);
  const message = bytes && proto.Message.decode(unpadRandomMax16(bytes));
  return message?.deviceSentMessage?.message ?? message;
}

async function reading(reader: Contact, read: () => Promise<proto.IMessage>): Promise<Reading> {
  try {
    return { reader, message: await read() };
  } catch (error) {
    return { reader, error: error instanceof Error ? error : new Error(String(error)) };
  }
}

async function decrypt(reader: Contact, account: Account, enc: BinaryNode): Promise<proto.IMessage> {
  const bytes = await reader.device.decrypt(account.peer, enc.attrs["type"] ?? "", contentOf(enc));
  return proto.Message.decode(unpadRandomMax16(bytes));
}

function partsOf(stanza: BinaryNode, directory: Directory): Parts {
  const parts = new Map<Contact, BinaryNode>();
  for (const [jid, enc] of addressed(stanza)) {
    const contact = directory.contactAt(jid);
    if (contact) parts.set(contact, enc);
  }
  return parts;
}

function addressed(stanza: BinaryNode): [jid: string, enc: BinaryNode][] {
  return getBinaryNodeChildren(getBinaryNodeChild(stanza, "participants"), "to").flatMap((to) => {
    const enc = getBinaryNodeChild(to, "enc");
    return enc ? [[to.attrs["jid"] ?? "", enc] as [string, BinaryNode]] : [];
  });
}

function contentOf(enc: BinaryNode): Uint8Array {
  if (!(enc.content instanceof Uint8Array)) throw new Error("an <enc> without bytes");
  return enc.content;
}
