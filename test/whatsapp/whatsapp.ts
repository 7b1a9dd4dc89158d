import { randomBytes } from "node:crypto";
import { Curve, type KeyPair } from "baileys";
import { Account, type AccountOptions, type LinkedDevice } from "./account.ts";
import { Client } from "./client.ts";
import { Contact, type ContactOptions, type Post } from "./contact.ts";
import { decryptFile } from "./content/file.ts";
import { Directory } from "./directory.ts";
import type {
  BotMessage,
  ChatState,
  Receipt,
  Reporter,
  Undecrypted,
  WhatsAppEvent,
  WhatsAppListener,
} from "./events.ts";
import { gatewayEnv } from "./gateway-env.ts";
import { Group, type GroupOptions } from "./group.ts";
import { type LinkOptions, writeLink } from "./link.ts";
import type { Delivery } from "./mailbox.ts";
import { type OnSend, Outgoing } from "./outgoing.ts";
import type { Sent } from "./sent.ts";
import { SentMessage } from "./sent-message.ts";
import { WhatsAppServer } from "./server.ts";
import type { TimeLock } from "./stanzas/time-lock.ts";

export interface WhatsAppOptions {
  /** Gets a line for a human now and then; never a message's text. */
  readonly log?: (line: string) => void;
  /** When the bot gets its messages after a login: `when listening` (the default) or `at once`; see `Delivery`. */
  readonly delivery?: Delivery;
  /**
   * Whether contacts write in new Signal sessions after the bot has gone away. Default true; with false they write on in
   * their old ones, as real phones do, and a bot killed just after a send needs a retry receipt for the answer, with which
   * OpenClaw loses it.
   */
  readonly renewSessions?: boolean;
}

/** A gateway start takes 15-25 s, and several times that on a busy machine. */
const DEFAULT_ONLINE_TIMEOUT_MS = 180_000;

/** A WhatsApp Web server on loopback for the real Baileys, with everybody who uses it. */
export class WhatsApp {
  /** Everything that the bots sent to anybody, in order: also what was refused or lost by `onSend`. */
  readonly sent: BotMessage[] = [];
  /** What phones could not decrypt, and asked for again. */
  readonly undecrypted: Undecrypted[] = [];
  /** Every receipt that the bots sent, in order. */
  readonly receipts: Receipt[] = [];
  /** Every chat state ("typing…") that the bots showed, in order. */
  readonly chatStates: ChatState[] = [];
  /** Decides what becomes of each message of a bot. Default: all are acknowledged. */
  onSend: OnSend = () => "ack";

  readonly #directory = new Directory();
  readonly #clients = new Map<string, Client>();
  readonly #phones = new Map<string, { readonly identity: KeyPair; devices: number }>();
  readonly #listeners = new Set<WhatsAppListener>();
  readonly #reporter: Reporter;
  readonly #server: WhatsAppServer;
  readonly #accountOptions: AccountOptions;
  #pausedSends: PromiseWithResolvers<void> | undefined;

  constructor({ log = () => {}, delivery = "when listening", renewSessions = true }: WhatsAppOptions) {
    this.#reporter = {
      log: (line) => log(`whatsapp: ${line}`),
      emit: (event) => {
        for (const listener of this.#listeners) listener(event);
        const line = describeEvent(event);
        if (line) log(`whatsapp: ${line}`);
      },
    };
    this.#accountOptions = { reporter: this.#reporter, delivery, renewsSessions: renewSessions };
    this.#server = new WhatsAppServer({
      reporter: this.#reporter,
      clientOf: (noiseKey) => this.#clients.values().find(({ account }) => account.noiseKey.equals(noiseKey)),
    });
  }

  listen(): Promise<void> {
    return this.#server.listen();
  }

  /** What the gateway's environment needs, so that it connects here. */
  gatewayEnv(): Record<string, string> {
    return gatewayEnv(this.#server.port, this.#server.identity.rootPublicKey);
  }

  /**
   * Links a bot without a QR: writes its credentials under the gateway's state folder, in place of any earlier ones. The
   * account's earlier link, if any, can no longer log in. @throws Error for a number that isn't E.164.
   */
  async link(stateDir: string, options: LinkOptions): Promise<void> {
    const phone = this.#phoneOf(options.number);
    this.#add(await writeLink(stateDir, options, ++phone.devices, phone.identity));
  }

  /**
   * The owner scans a code that a gateway shows, with the phone of this number: the account is linked anew. Resolves when
   * the device has the link, and connects anew with it.
   * @throws Error for what is no code of a device that waits.
   */
  async scan(code: string, { number, accountId = "default" }: LinkOptions): Promise<void> {
    const phone = this.#phoneOf(number);
    const scanning = { number, accountId, identity: phone.identity, device: ++phone.devices };
    const { device, restart } = await this.#server.pairing.scan(code, scanning);
    this.#add(device);
    restart();
  }

  /**
   * Resolves when the bot is logged in, has its backlog, and gets live messages.
   * @throws Error after `timeoutMs` (default 180,000), or when no such account is linked.
   */
  async online(timeoutMs = DEFAULT_ONLINE_TIMEOUT_MS, accountId?: string): Promise<void> {
    await this.#client(accountId).account.mailbox.online(timeoutMs);
  }

  /** The contact with this number, E.164: the same object each time. */
  contact(number: string, options: ContactOptions = {}): Contact {
    let contact = this.#directory.contacts.get(number);
    if (!contact) {
      contact = new Contact(number, options, this.#post);
      this.#directory.addContact(contact);
    }
    contact.name = options.name ?? contact.name;
    contact.registered = options.registered ?? contact.registered;
    return contact;
  }

  /**
   * The phone of the bot's owner, who writes to customers (`says(text, { chat })`) beside the bot. It hears nothing itself.
   * @throws Error when no such account is linked.
   */
  owner(accountId?: string): Contact {
    const { account } = this.#client(accountId);
    const phone = new Contact(account.addresses.number, { name: "the owner" }, this.#post);
    phone.device = account.phone;
    return phone;
  }

  /** The group with this id: the same object each time; options count at the first call. */
  group(id: string, options: GroupOptions = {}): Group {
    let group = this.#directory.groups.get(id);
    if (!group) {
      group = new Group(id, options);
      this.#directory.groups.set(id, group);
    }
    return group;
  }

  /** The file of a bot's message, as the phone shows it. @throws Error where it has none, or none that can be decrypted. */
  fileOf({ message }: BotMessage): Buffer {
    return decryptFile(message, (path) => this.#server.file(path));
  }

  /** Delivers a message once more under its id, as a resend by the server; returns the new delivery. */
  async redeliver(sent: Sent): Promise<Sent> {
    if (!(sent instanceof SentMessage)) throw new Error(`${sent.id} is not a message of this WhatsApp`);
    const { account } = this.#client(sent.accountId);
    return this.#accept(account, new SentMessage({ ...sent.parts, account }));
  }

  /** Cuts the connection of one account or of all, without a word. */
  drop(accountId?: string): void {
    this.#server.drop(accountId);
  }

  /** While true, new connections are cut before they are up. */
  refuse(refusing: boolean): void {
    this.#server.refusing = refusing;
  }

  /** Keeps the bots' messages back from now on, neither read nor acknowledged; returns what lets them through. */
  pauseSends(): () => void {
    this.#pausedSends ??= Promise.withResolvers<void>();
    return () => this.#releaseSends();
  }

  /** The owner unlinks the bot on the phone: its connection ends, and later logins are refused. */
  async logout(accountId?: string): Promise<void> {
    this.#client(accountId).logout();
  }

  /** WhatsApp lets the number begin no chats until then, and tells the bot; null lifts it. What the bot sends arrives all the same. */
  timeLock(lock: TimeLock | null, accountId?: string): void {
    this.#client(accountId).lock(lock);
  }

  /** Another client takes the bot's place: its connection ends with a conflict. */
  replaced(accountId?: string): void {
    this.#client(accountId).replaced();
  }

  /** Calls the listener with all that happens from now on; returns what stops that. */
  onEvent(listener: WhatsAppListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Cuts all connections and stops listening. Whoever still waits for something gets an error. */
  async close(): Promise<void> {
    await this.#server.close();
    this.#releaseSends();
    for (const client of this.#clients.values()) client.account.mailbox.close("WhatsApp was closed");
    for (const { inbox } of [...this.#directory.contacts.values(), ...this.#directory.groups.values()]) inbox.close();
    await Promise.all(this.#clients.values().map((client) => client.idle()));
  }

  #phoneOf(number: string) {
    let phone = this.#phones.get(number);
    if (!phone) {
      phone = { identity: Curve.generateKeyPair(), devices: 0 };
      this.#phones.set(number, phone);
    }
    return phone;
  }

  /** The account's earlier link, if any, can no longer log in. */
  #add(device: LinkedDevice): void {
    const earlier = this.#clients.get(device.accountId);
    earlier?.logout();
    earlier?.account.mailbox.close("the account was linked anew");
    const account = new Account(device, this.#accountOptions);
    const common = { account, directory: this.#directory, reporter: this.#reporter };
    const decide: OnSend = (message) => this.onSend(message);
    const outgoing = new Outgoing({ ...common, sent: this.sent, undecrypted: this.undecrypted, decide });
    const gate = async () => this.#pausedSends?.promise;
    this.#directory.accounts.set(account.id, account);
    this.#clients.set(
      account.id,
      new Client({ ...common, receipts: this.receipts, chatStates: this.chatStates, outgoing, gate }),
    );
  }

  #releaseSends(): void {
    this.#pausedSends?.resolve();
    this.#pausedSends = undefined;
  }

  #client(accountId?: string): Client {
    const client = accountId === undefined ? this.#clients.values().next().value : this.#clients.get(accountId);
    if (!client) throw new Error(accountId ? `no account ${accountId} is linked` : "no account is linked yet");
    return client;
  }

  readonly #post: Post = async (author, content, options) => {
    const { account } = this.#client(options.to);
    if (options.unreadable && options.in)
      throw new Error("Baileys reads a group message that was damaged all the same");
    const parts = {
      id: options.id ?? `3A${randomBytes(9).toString("hex").toUpperCase()}`,
      account,
      author,
      group: options.in,
      customer: options.chat,
      content: content(account.addresses.lid),
      at: options.at ?? new Date(),
      addressing: options.addressing ?? "lid",
      unreadable: options.unreadable ?? false,
    } as const;
    if (parts.content.upload) this.#server.upload(parts.content.upload);
    return this.#accept(account, new SentMessage(parts));
  };

  #accept(account: Account, message: SentMessage): SentMessage {
    account.mailbox.accept(message);
    return message;
  }
}

function describeEvent(event: WhatsAppEvent): string | undefined {
  if (!("accountId" in event) || event.type === "nack") return undefined;
  return `account=${event.accountId} ${event.type}`;
}

/** Starts a WhatsApp on a free port of 127.0.0.1. */
export async function startWhatsApp(options: WhatsAppOptions = {}): Promise<WhatsApp> {
  const whatsapp = new WhatsApp(options);
  await whatsapp.listen();
  return whatsapp;
}
