import { type BinaryNode, encodeWAMessage, type proto } from "baileys";
import type { Contact, GroupChat } from "./contact.ts";
import type { Recipient } from "./recipient.ts";
import type { SentParts } from "./sent-message.ts";
import type { EncType } from "./signal/device.ts";
import { tamper } from "./signal/tamper.ts";

export interface SealOptions {
  /** The place in the backlog, if the message is written as a part of it. */
  readonly offline?: number | undefined;
  /** The number of the retry, if the bot could not decrypt the message: it then goes by the direct session. */
  readonly attempt?: number | undefined;
}

/**
 * Encrypts a contact's message for the bot. Each delivery is encrypted anew, unlike WhatsApp, which stores the ciphertext:
 * a bot that was killed between decrypting and sending its receipt would find the key used, and lose the message.
 */
export async function seal(parts: SentParts, options: SealOptions): Promise<BinaryNode> {
  const content = await encryptFor(parts, options.attempt);
  return { tag: "message", attrs: { ...envelope(parts), ...offlineAttr(options.offline) }, content };
}

async function encryptFor(parts: SentParts, attempt?: number): Promise<BinaryNode[]> {
  const { account, author, group, customer, content } = parts;
  const { mediaType, unavailable } = content;
  const message = customer ? copyForBot(content.message, customer) : content.message;
  if (unavailable !== undefined) return [{ tag: "unavailable", attrs: { type: unavailable } }];
  const extra = {
    ...(mediaType && { mediatype: mediaType }),
    ...(attempt !== undefined && { count: String(attempt) }),
  };
  if (!group) return [await directly(author, account, message, extra, parts.unreadable && attempt === undefined)];

  const me = author.number;
  const { ciphertext, distribution } = await author.device.senderKeys.encrypt(group.id, me, encodeWAMessage(message));
  const senderKey = { groupId: group.id, axolotlSenderKeyDistributionMessage: distribution };
  if (attempt !== undefined) {
    return [await directly(author, account, { ...message, senderKeyDistributionMessage: senderKey }, extra)];
  }
  const enc: BinaryNode = { tag: "enc", attrs: { v: "2", type: "skmsg", ...extra }, content: ciphertext };
  if (author.knownSenderKeys.has(senderKeySession(group, account))) return [enc];
  return [await directly(author, account, { senderKeyDistributionMessage: senderKey }, {}), enc];
}

/** What the owner's phone writes to a customer, as its linked devices get it. */
function copyForBot(message: proto.IMessage, { addresses }: Contact): proto.IMessage {
  return { deviceSentMessage: { destinationJid: addresses.lid, message } };
}

/** Names the fact that a bot has a contact's sender key for a group. */
export function senderKeySession(group: GroupChat, account: Recipient): string {
  return `${group.id} ${account.peer}`;
}

async function directly(
  author: Contact,
  account: Recipient,
  message: proto.IMessage,
  extra: Record<string, string>,
  unreadable = false,
): Promise<BinaryNode> {
  await ensureSession(author, account);
  const encrypted = await author.device.encrypt(account.peer, encodeWAMessage(message));
  const content = unreadable ? tamper(encrypted) : encrypted.ciphertext;
  return { tag: "enc", attrs: { v: "2", type: encrypted.type satisfies EncType, ...extra }, content };
}

/**
 * A bot that was killed just after it wrote to somebody has lost the session that Baileys had opened for that; it could
 * read the answer only after a retry receipt. OpenClaw loses a message that comes so: it has put the unreadable first copy
 * down as done, under the same id. Unlike real phones, contacts therefore open a new session after the bot has gone away.
 */
async function ensureSession({ device, sessionAges }: Contact, { peer, departures, keys, renewsSessions }: Recipient) {
  const age = renewsSessions ? (sessionAges.get(peer) ?? 0) : departures;
  if (device.hasSession(peer) && age === departures) return;
  await device.openSession(peer, keys.take());
  sessionAges.set(peer, departures);
}

function envelope({ id, author, group, customer, content, at, addressing }: SentParts): Record<string, string> {
  const mode = addressing === "pn" ? "pn" : "lid";
  const other = mode === "lid" ? "pn" : "lid";
  const from = author.addresses[mode];
  const t = String(Math.floor(at.getTime() / 1000));
  const edit = content.edit && { edit: content.edit };
  const common = { id, t, type: content.type, notify: author.name, addressing_mode: mode, ...edit };
  if (customer) return { ...common, from, recipient: customer.addresses.lid, peer_recipient_pn: customer.addresses.pn };
  const also = addressing !== "lid only" && {
    [`${group ? "participant" : "sender"}_${other}`]: author.addresses[other],
  };
  return group ? { ...common, from: group.id, participant: from, ...also } : { ...common, from, ...also };
}

function offlineAttr(index: number | undefined): Record<string, string> {
  return index === undefined ? {} : { offline: String(index) };
}
