import type { proto } from "baileys";
import type { Account } from "./account.ts";
import type { Addressing, Contact } from "./contact.ts";
import type { Content, Quotable } from "./content/content.ts";
import { nowMs, type Receipt, type SentFacts } from "./events.ts";
import type { Group } from "./group.ts";
import { Waiting } from "./waiting.ts";

/** A message that a contact has sent and the server has accepted. */
export interface Sent extends SentFacts, Quotable {
  /** When it was written. */
  readonly at: Date;
  readonly acceptedAtMs: number;
  /** How often it was written to the bot's socket. */
  readonly deliveries: number;
  /** The bot's delivery receipt; undefined until it came. */
  readonly receipt: Receipt | undefined;
  /** Waits for the bot's delivery receipt. @throws Error after `timeoutMs` (default 30,000). */
  received(timeoutMs?: number): Promise<Receipt>;
}

export interface SentParts {
  readonly id: string;
  readonly account: Account;
  readonly author: Contact;
  readonly group: Group | undefined;
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
