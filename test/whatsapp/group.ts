import type { Contact, GroupChat } from "./contact.ts";
import type { BotMessage } from "./events.ts";
import { type Expected, type HearOptions, Inbox } from "./inbox.ts";

export interface GroupOptions {
  readonly subject?: string;
  /** Every linked account is a member besides. */
  readonly members?: readonly Contact[];
}

/** A group with the bot in it. */
export class Group implements GroupChat {
  readonly id: string;
  readonly subject: string;
  readonly members: readonly Contact[];
  readonly createdAt = new Date();
  readonly inbox: Inbox;

  constructor(id: string, { subject = "Group", members = [] }: GroupOptions) {
    if (!/^\d+(-\d+)?@g\.us$/.test(id)) throw new Error(`${id} is no group id (120363000000000001@g.us)`);
    this.id = id;
    this.subject = subject;
    this.members = members;
    this.inbox = new Inbox(`the group ${subject}`);
  }

  /** Everything that the bot said in this group, in order. */
  get heard(): readonly BotMessage[] {
    return this.inbox.heard;
  }

  /** The next message of the bot in this group; see `Contact.hears`. */
  hears(expected?: Expected, options: HearOptions = {}): Promise<BotMessage> {
    return this.inbox.hears(expected, options);
  }
}
