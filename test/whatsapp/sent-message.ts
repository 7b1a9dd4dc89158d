import type { proto } from "baileys";
import type { Addressing, Contact, GroupChat } from "./contact.ts";
import type { Content } from "./content/content.ts";
import { nowMs, type Receipt } from "./events.ts";
import type { Recipient } from "./recipient.ts";
import type { Sent } from "./sent.ts";
import { Waiting } from "./waiting.ts";

export interface SentParts {
  readonly id: string;
  readonly account: Recipient;
  readonly author: Contact;
  readonly group: GroupChat | undefined;
  /** Whom the owner of the bot's number writes to, on the phone; the bot gets a copy. */
  readonly customer: Contact | undefined;
  readonly content: Content;
  readonly at: Date;
  readonly addressing: Addressing;
  readonly unreadable: boolean;
}

/** The server's copy of a contact's message. */
export class SentMessage implements Sent {
  readonly parts: SentParts;
  readonly acceptedAtMs = nowMs();
  deliveries = 0;
  receipt: Receipt | undefined;
  readonly #waiting = new Waiting<Receipt>();

  constructor(parts: SentParts) {
    this.parts = parts;
  }

  get id(): string {
    return this.parts.id;
  }

  get accountId(): string {
    return this.parts.account.id;
  }

  get author(): string {
    return this.parts.author.number;
  }

  get chat(): string {
    return this.parts.group?.id ?? this.author;
  }

  get text(): string {
    return this.parts.content.text;
  }

  get from(): string {
    const { author, addressing } = this.parts;
    return author.addresses[addressing === "pn" ? "pn" : "lid"];
  }

  get message(): proto.IMessage {
    return this.parts.content.message;
  }

  get at(): Date {
    return this.parts.at;
  }

  received(timeoutMs = 30_000): Promise<Receipt> {
    if (this.receipt) return Promise.resolve(this.receipt);
    return this.#waiting.wait(
      timeoutMs,
      () =>
        `no delivery receipt for ${this.id} of ${this.author} within ${timeoutMs} ms: written to the bot ` +
        `${this.deliveries} times; ${this.parts.account.describe()}`,
    );
  }

  settle(receipt: Receipt): void {
    this.receipt = receipt;
    this.#waiting.announce(receipt);
  }

  close(reason: string): void {
    this.#waiting.close(`no delivery receipt for ${this.id} of ${this.author}: ${reason}`);
  }
}
