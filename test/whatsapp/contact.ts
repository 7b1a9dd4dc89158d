import type { Content, Quotable } from "./content/content.ts";
import { deletion } from "./content/deletion.ts";
import { edit } from "./content/edit.ts";
import { keyOf } from "./content/key.ts";
import { reaction } from "./content/reaction.ts";
import { text } from "./content/text.ts";
import type { BotMessage } from "./events.ts";
import { type Expected, type HearOptions, Inbox } from "./inbox.ts";
import { type Addresses, addressesOf } from "./jid.ts";
import type { Sent } from "./sent.ts";
import { SignalDevice } from "./signal/device.ts";

export interface ContactOptions {
  /** The name that the contact shows to others. */
  readonly name?: string;
  /** False for a number that isn't on WhatsApp. Default true. */
  readonly registered?: boolean;
}

/**
 * How WhatsApp addresses a contact: by LID with the phone number beside it, as it does today; by phone number; or by LID only,
 * as it does for people who show their number to nobody, and for those who come from an advertisement.
 */
export type Addressing = "lid" | "pn" | "lid only";

/** A group, as far as its members need it to write there. */
export interface GroupChat {
  readonly id: string;
  readonly subject: string;
}

export interface PostOptions {
  /** Default: directly to the bot. */
  readonly in?: GroupChat;
  /** For the shop's own phone: the customer whom its owner writes to. */
  readonly chat?: Contact;
  /** Default: a new id as an iPhone makes it. */
  readonly id?: string;
  /** When it was written; WhatsApp keeps whole seconds. Default: now. */
  readonly at?: Date;
  /** Which account it is for. Default: the one that was linked first. */
  readonly to?: string;
  /** Default `lid`. */
  readonly addressing?: Addressing;
  /**
   * True if the bot can't read it until it has asked for it again, as when the two encryption sessions are out of step.
   * Default false. Not in groups.
   */
  readonly unreadable?: boolean;
}

export interface SayOptions extends PostOptions {
  readonly quote?: Quotable;
  /** True mentions the bot. The text stays as it is. */
  readonly mention?: boolean;
}

/** Takes a contact's message to the server. `content` is called with the address of the bot, to be mentioned. */
export type Post = (author: Contact, content: (bot: string) => Content, options: PostOptions) => Promise<Sent>;

/** A customer's phone. */
export class Contact {
  readonly addresses: Addresses;
  readonly inbox: Inbox;
  device = new SignalDevice();
  name: string;
  registered: boolean;
  /** The group sessions (`<group> <account>`) in which the bot is known to have this contact's sender key. */
  readonly knownSenderKeys = new Set<string>();
  /** By bot: how often it had gone away when the session was opened in which this contact writes to it. */
  readonly sessionAges = new Map<string, number>();
  readonly #post: Post;

  constructor(number: string, options: ContactOptions, post: Post) {
    this.addresses = addressesOf(number);
    this.name = options.name ?? number;
    this.registered = options.registered ?? true;
    this.inbox = new Inbox(`${this.name} (${number})`);
    this.#post = post;
  }

  get number(): string {
    return this.addresses.number;
  }

  /** Everything that the bot said to this contact directly, in order. */
  get heard(): readonly BotMessage[] {
    return this.inbox.heard;
  }

  /** Installs WhatsApp anew: the phone has a new identity, and can't read what is encrypted for the old one. */
  reinstalls(): void {
    this.device = new SignalDevice();
    this.knownSenderKeys.clear();
    this.sessionAges.clear();
  }

  /**
   * Writes a text. Resolves once the server has it: the bot gets it as soon as it is online, and again at each login until
   * it sends a delivery receipt. @throws Error when no such account is linked.
   */
  says(body: string, options: SayOptions = {}): Promise<Sent> {
    const content = (bot: string) => text(body, { quote: options.quote, ...(options.mention && { mentioned: [bot] }) });
    return this.#post(this, content, options);
  }

  /** Sends content of any kind (`image`, `voice`, ...); see `says`. */
  sends(content: Content, options: PostOptions = {}): Promise<Sent> {
    return this.#post(this, () => content, options);
  }

  /** Puts an emoji on a message, the bot's or a contact's, in place of an earlier one; "" takes it back. See `says`. */
  reacts(emoji: string, to: Quotable, options: PostOptions = {}): Promise<Sent> {
    return this.#post(this, (bot) => reaction(this.#name(to, bot, options), emoji), options);
  }

  /** Gives a message of this contact another text. The edit has an id of its own; see `says`. */
  edits(message: Quotable, body: string, options: PostOptions = {}): Promise<Sent> {
    return this.#post(this, (bot) => edit(this.#name(message, bot, options), body), options);
  }

  /** Deletes a message of this contact for everyone. The deletion has an id of its own; see `says`. */
  deletes(message: Quotable, options: PostOptions = {}): Promise<Sent> {
    return this.#post(this, (bot) => deletion(this.#name(message, bot, options)), options);
  }

  #name(message: Quotable, bot: string, { in: group }: PostOptions) {
    const { pn, lid } = this.addresses;
    return keyOf(message, { me: [pn, lid], chat: group?.id ?? bot, isGroup: group !== undefined });
  }

  /**
   * The bot's next message to this contact that no earlier call has returned: any, one with this text, one that matches, or
   * one that the predicate accepts. @throws Error with a list of what did arrive, after `timeoutMs`.
   */
  hears(expected?: Expected, options: HearOptions = {}): Promise<BotMessage> {
    return this.inbox.hears(expected, options);
  }
}
