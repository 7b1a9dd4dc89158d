import type { BinaryNode } from "baileys";
import { nowMs, type Receipt, type Reporter } from "./events.ts";
import type { Recipient } from "./recipient.ts";
import { seal } from "./seal.ts";
import type { SentMessage } from "./sent-message.ts";
import type { PreKeyBundle } from "./signal/libsignal.ts";
import type { Connection } from "./socket/connection.ts";
import { Waiting } from "./waiting.ts";

/**
 * When the bot gets its messages after a login. OpenClaw attaches its listener some time after Baileys has logged in, and
 * loses what comes in between, though Baileys sends receipts for it. `when listening` waits for the listener: OpenClaw asks
 * for its groups in the same turn in which it attaches it. `at once` writes as soon as Baileys asks for the backlog.
 */
export type Delivery = "when listening" | "at once";

export interface MailboxOptions {
  readonly reporter: Reporter;
  readonly delivery: Delivery;
}

/**
 * `offline` → (login) `logged in` → (the bot has asked for its backlog, and listens) `catching up` → (backlog written)
 * `online`; a lost connection leads back to `offline` from each.
 */
export type MailboxState = "offline" | "logged in" | "catching up" | "online";

/** The messages for one bot: each is kept until the bot sends a delivery receipt, and written again at each login. */
export class Mailbox {
  readonly #account: Recipient;
  readonly #options: MailboxOptions;
  /** All without a receipt, in the order of acceptance. */
  readonly #kept = new Set<SentMessage>();
  readonly #keptByKey = new Map<string, SentMessage[]>();
  /** Those of them that are not yet written to the present connection, nor part of its backlog. */
  readonly #unwritten = new Set<SentMessage>();
  readonly #goingOnline = new Waiting<void>();
  #state: MailboxState = "offline";
  #connection: Connection | undefined;
  #asked = false;
  #listening = false;
  #writing = false;

  constructor(account: Recipient, options: MailboxOptions) {
    this.#account = account;
    this.#options = options;
  }

  get state(): MailboxState {
    return this.#state;
  }

  /** The state in words, with what it waits for. */
  describe(): string {
    if (this.#state !== "logged in") return this.#state;
    return this.#asked
      ? "logged in, but has not shown that it listens"
      : "logged in, but has not asked for its backlog";
  }

  online(timeoutMs: number): Promise<void> {
    if (this.#state === "online") return Promise.resolve();
    return this.#goingOnline.wait(timeoutMs, () => `not online within ${timeoutMs} ms: ${this.#account.describe()}`);
  }

  accept(message: SentMessage): void {
    this.#kept.add(message);
    const key = keyOf(message.chat, message.author, message.id);
    const same = this.#keptByKey.get(key);
    if (same) same.push(message);
    else this.#keptByKey.set(key, [message]);
    this.#unwritten.add(message);
    this.#options.reporter.emit({ type: "accepted", atMs: nowMs(), sent: message });
    void this.#writeLive();
  }

  connected(connection: Connection): void {
    this.disconnected();
    this.#connection = connection;
    this.#state = "logged in";
    this.#asked = false;
    this.#listening = this.#options.delivery === "at once";
  }

  disconnected(): void {
    this.#connection = undefined;
    this.#state = "offline";
  }

  /** The stanza that announces the backlog; the bot asks for it then. */
  preview(): BinaryNode {
    const count = String(this.#kept.size);
    const attrs = { count, message: count, receipt: "0", notification: "0", appdata: "0", call: "0" };
    return { tag: "ib", attrs: { from: "s.whatsapp.net" }, content: [{ tag: "offline_preview", attrs }] };
  }

  /** The bot has asked for its backlog. */
  asked(): void {
    this.#asked = true;
    void this.#catchUp();
  }

  /** The bot has shown that its listener is attached. */
  listening(): void {
    this.#listening = true;
    void this.#catchUp();
  }

  /** Takes a delivery receipt. Returns false if no such message is waiting for one. */
  settle(receipt: Receipt): boolean {
    const key = keyOf(receipt.chat, receipt.author, receipt.id);
    const same = this.#keptByKey.get(key);
    const message = same?.find((one) => one.deliveries > 0);
    if (!same || !message) return false;
    same.splice(same.indexOf(message), 1);
    if (same.length === 0) this.#keptByKey.delete(key);
    this.#kept.delete(message);
    this.#unwritten.delete(message);
    message.settle(receipt);
    return true;
  }

  /** Writes a message again that the bot could not decrypt, in a new session. Returns false if it isn't kept. */
  async retry(chat: string, author: string, id: string, attempt: number, bundle: PreKeyBundle): Promise<boolean> {
    const message = this.#keptByKey.get(keyOf(chat, author, id))?.at(-1);
    const connection = this.#connection;
    if (!message || !connection) return false;
    await message.parts.author.device.openSession(this.#account.peer, bundle);
    await this.#write(connection, message, undefined, attempt);
    return true;
  }

  close(reason: string): void {
    this.disconnected();
    this.#goingOnline.close(reason);
    for (const message of this.#kept) message.close(reason);
  }

  async #catchUp(): Promise<void> {
    const connection = this.#connection;
    if (!connection || this.#state !== "logged in" || !this.#asked || !this.#listening) return;
    this.#state = "catching up";
    this.#unwritten.clear();
    let count = 0;
    for (const message of [...this.#kept]) {
      if (this.#kept.has(message)) await this.#write(connection, message, count++);
      if (this.#connection !== connection) return;
    }
    const offline = { tag: "offline", attrs: { count: String(count) } };
    connection.send({ tag: "ib", attrs: { from: "s.whatsapp.net" }, content: [offline] });
    this.#goOnline();
  }

  #goOnline(): void {
    this.#state = "online";
    this.#options.reporter.emit({ type: "online", atMs: nowMs(), accountId: this.#account.id });
    this.#goingOnline.announce();
    void this.#writeLive();
  }

  /** One writer at a time keeps the order of acceptance on the wire. */
  async #writeLive(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    for (const message of this.#unwritten) {
      const connection = this.#connection;
      if (!connection || this.#state !== "online") break;
      this.#unwritten.delete(message);
      await this.#write(connection, message);
    }
    this.#writing = false;
  }

  async #write(connection: Connection, message: SentMessage, offline?: number, attempt?: number): Promise<void> {
    const { reporter } = this.#options;
    try {
      const node = await seal(message.parts, { offline, attempt });
      if (!connection.send(node)) return;
      message.deliveries++;
      const delivery = message.deliveries;
      reporter.emit({ type: "delivered", atMs: nowMs(), sent: message, offline: offline !== undefined, delivery });
    } catch (error) {
      reporter.log(`account=${this.#account.id} message=${message.id} not written: ${String(error)}`);
    }
  }
}

function keyOf(chat: string, author: string, id: string): string {
  return `${chat} ${author} ${id}`;
}
