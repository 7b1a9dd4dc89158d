import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from "baileys";
import type { Account } from "./account.ts";
import type { Directory } from "./directory.ts";
import { nowMs, type Receipt, type ReceiptKind, type Reporter } from "./events.ts";
import { isGroup, withoutDevice } from "./jid.ts";
import { senderKeySession } from "./seal.ts";
import { node } from "./stanzas/reply.ts";

export interface ReceiptOptions {
  readonly account: Account;
  readonly directory: Directory;
  readonly reporter: Reporter;
  readonly receipts: Receipt[];
}

/** The receipt types of a bot; `inactive` is the delivery receipt of one that doesn't show itself online. */
const KINDS: Record<string, ReceiptKind> = {
  "": "delivery",
  inactive: "delivery",
  // For what the bot's owner wrote on the phone.
  sender: "delivery",
  read: "read",
  retry: "retry",
};

/** Handles a `<receipt>` of the bot: acknowledges it, records it, and settles or resends the messages that it names. */
export async function handleReceipt(stanza: BinaryNode, options: ReceiptOptions): Promise<void> {
  const { account, directory, reporter, receipts } = options;
  const { id = "", to = "", participant, type = "" } = stanza.attrs;
  const extra = { ...(type && { type }), ...(participant && { participant }) };
  account.connection?.send(node("ack", { class: "receipt", id, from: to, ...extra }));

  const address = isGroup(to) ? (participant ?? "") : to;
  const author = directory.contactAt(address);
  const number = author?.number ?? (account.owns(address) ? account.addresses.number : undefined);
  if (number === undefined) return;
  const chat = isGroup(to) ? withoutDevice(to) : number;
  const kind = KINDS[type] ?? "other";
  const items = getBinaryNodeChildren(getBinaryNodeChild(stanza, "list"), "item");
  for (const one of [id, ...items.map(({ attrs }) => attrs["id"] ?? "")]) {
    const atMs = nowMs();
    const receipt: Receipt = { kind, id: one, chat, author: number, accountId: account.id, atMs };
    receipts.push(receipt);
    reporter.emit({ type: "receipt", atMs, receipt });
    if (kind !== "delivery") continue;
    const group = directory.groups.get(chat);
    if (account.mailbox.settle(receipt) && group) author?.knownSenderKeys.add(senderKeySession(group, account));
  }
  if (kind === "retry") await resend(stanza, { id, chat, author: number }, options);
}

async function resend(
  stanza: BinaryNode,
  { id, chat, author }: { id: string; chat: string; author: string },
  { account, reporter }: ReceiptOptions,
): Promise<void> {
  const attempt = Number(getBinaryNodeChild(stanza, "retry")?.attrs["count"] ?? 1);
  const known = await account.mailbox.retry(chat, author, id, attempt, account.keys.fromRetry(stanza));
  reporter.log(`account=${account.id} message=${id} retry=${attempt} ${known ? "resent" : "unknown"}`);
}
