import type { BinaryNode, proto } from "baileys";
import type { Account } from "./account.ts";
import type { Contact } from "./contact.ts";
import { readContent } from "./content/read.ts";
import type { Directory } from "./directory.ts";
import { type BotMessage, nowMs, type Reporter, type SendOutcome, type Undecrypted } from "./events.ts";
import { isGroup, withoutDevice } from "./jid.ts";
import { type Reading, readDirect, readInGroup, readOwnCopy } from "./reading.ts";
import { node, nowSeconds } from "./stanzas/reply.ts";

/** A phone asks this often for a message that it can't read; Baileys itself answers about 2 times. */
const MAX_RETRIES = 4;

export type OnSend = (message: BotMessage) => SendOutcome | Promise<SendOutcome>;

export interface OutgoingOptions {
  readonly account: Account;
  readonly directory: Directory;
  readonly reporter: Reporter;
  readonly sent: BotMessage[];
  readonly undecrypted: Undecrypted[];
  readonly decide: OnSend;
}

/** The messages that one bot sends: read with the phones of those they are for, recorded, acknowledged. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  readonly #delivered = new Map<string, BotMessage>();
  readonly #unread = new Map<string, Undecrypted>();

  constructor(options: OutgoingOptions) {
    this.#options = options;
  }

  /** Handles one `<message>` of the bot. The caller waits for it before the next: that is the order in `sent`. */
  async handle(stanza: BinaryNode): Promise<void> {
    const { account, directory } = this.#options;
    const to = stanza.attrs["to"] ?? "";
    // What a bot asks of its owner's phone (a resend, some history) isn't a message to anybody.
    if (stanza.attrs["category"] === "peer") return this.#acknowledge(stanza, "ack");
    const group = isGroup(to) ? directory.groups.get(withoutDevice(to)) : undefined;
    const readings = group
      ? await readInGroup(stanza, account, group, directory)
      : await readDirect(stanza, account, directory);
    for (const reading of readings) if ("error" in reading) this.#askAgain(stanza, reading.reader, reading.error);

    const read = readings.filter((reading) => "message" in reading);
    const message = read[0]?.message ?? (readings.length === 0 ? await readOwnCopy(stanza, account) : undefined);
    // A phone that can't read a message has it none the less: the server acknowledges what it can't see into.
    if (!message) {
      if (readings.length === 0) this.#noteUnread(stanza, to, new Error("nothing in it is for a known phone"));
      return this.#acknowledge(stanza, "ack");
    }
    await this.#deliver(stanza, message, read);
  }

  async #deliver(stanza: BinaryNode, message: proto.IMessage, read: readonly Reading[]): Promise<void> {
    const { decide, directory, reporter, sent } = this.#options;
    const record = this.#record(stanza, message);
    const key = `${record.chat} ${record.id}`;
    const earlier = this.#delivered.get(key);
    for (const { reader } of read) this.#resolve(record, reader);
    if (earlier) {
      earlier.copies++;
      return this.#acknowledge(stanza, "ack");
    }
    const outcome = await decide(record);
    const reached = read.length > 0 && (outcome === "ack" || outcome === "silent");
    const delivered: BotMessage = { ...record, outcome, delivered: reached };
    sent.push(delivered);
    if (reached) {
      this.#delivered.set(key, delivered);
      const inbox = directory.groups.get(record.chat)?.inbox ?? directory.contacts.get(record.chat)?.inbox;
      inbox?.add(delivered);
      reporter.emit({ type: "heard", atMs: nowMs(), message: delivered });
    }
    this.#acknowledge(stanza, outcome);
    if (reached) for (const { reader } of read) this.#confirm(stanza, reader);
  }

  #record(stanza: BinaryNode, message: proto.IMessage): BotMessage {
    const { account } = this.#options;
    const { id, chat } = this.#keyOf(stanza);
    const atMs = nowMs();
    return {
      id,
      chat,
      accountId: account.id,
      ...readContent(message),
      at: new Date(atMs),
      atMs,
      from: account.addresses.lid,
      message,
      outcome: "ack",
      delivered: true,
      copies: 1,
    };
  }

  #keyOf({ attrs }: BinaryNode): { id: string; chat: string } {
    const to = withoutDevice(attrs["to"] ?? "");
    const chat = this.#options.directory.contactAt(to)?.number ?? (isGroup(to) ? to : `+${to.split("@")[0]}`);
    return { id: attrs["id"] ?? "", chat };
  }

  /** What the server tells the bot. */
  #acknowledge({ attrs }: BinaryNode, outcome: SendOutcome): void {
    if (outcome === "silent" || outcome === "lost") return;
    const { id = "", to = "", participant } = attrs;
    const error = { error: "500", locked: "463", ack: undefined }[outcome];
    const extra = { ...(participant && { participant }), ...(error && { error }) };
    this.#send(node("ack", { class: "message", id, from: to, t: nowSeconds(), ...extra }));
  }

  /** What the phone that shows the message tells the bot. */
  #confirm({ attrs }: BinaryNode, reader: Contact): void {
    this.#send(node("receipt", { id: attrs["id"] ?? "", ...this.#fromReader(attrs, reader), t: nowSeconds() }));
  }

  /** What a phone that can't read the message does: it asks for it again, with keys for a new session. */
  #askAgain(stanza: BinaryNode, reader: Contact, error: Error): void {
    const unread = this.#noteUnread(stanza, reader.number, error);
    if (unread.retries === MAX_RETRIES) return;
    unread.retries++;
    const { attrs } = stanza;
    const { id } = unread;
    const t = nowSeconds();
    const { device } = reader;
    this.#send(
      node("receipt", { id, type: "retry", t, ...this.#fromReader(attrs, reader) }, [
        node("retry", { count: String(unread.retries), id, t, v: "1" }),
        device.registration(),
        node("keys", {}, device.bundle()),
      ]),
    );
  }

  #noteUnread(stanza: BinaryNode, reader: string, { message: error }: Error): Undecrypted {
    const { account, reporter, undecrypted } = this.#options;
    const { id, chat } = this.#keyOf(stanza);
    reporter.log(
      `account=${account.id} message=${id} unreadable for ${isGroup(chat) ? "a member" : "a phone"}: ${error}`,
    );
    const key = `${chat} ${id} ${reader}`;
    const known = this.#unread.get(key);
    if (known) return known;
    const atMs = nowMs();
    const unread = { id, chat, reader, accountId: account.id, atMs, error, retries: 0, resolved: false };
    this.#unread.set(key, unread);
    undecrypted.push(unread);
    reporter.emit({ type: "undecrypted", atMs, undecrypted: unread });
    return unread;
  }

  #resolve({ chat, id }: BotMessage, reader: Contact): void {
    const unread = this.#unread.get(`${chat} ${id} ${reader.number}`);
    if (unread) unread.resolved = true;
  }

  /** A reader is named as the bot named it: by that address it finds the message to send again. */
  #fromReader({ to = "" }: BinaryNode["attrs"], reader: Contact): Record<string, string> {
    return isGroup(to) ? { from: to, participant: reader.addresses.lid } : { from: withoutDevice(to) };
  }

  #send(stanza: BinaryNode): void {
    this.#options.account.connection?.send(stanza);
  }
}
