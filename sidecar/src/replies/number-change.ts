import { count, e164, maskAddress } from "@hotbags/shared";
import type { Logger } from "pino";
import { howToLink } from "../gateway/index.ts";

/** Replies that wait because their account is linked to another phone number than their messages were written to. */
export interface NumberChange {
  account: string;
  /** The number that customers wrote to, masked. */
  writtenTo: string;
  /** The number that is linked now, masked. */
  linked: string;
}

/** E.164; null where it is not known. */
export interface Numbers {
  /** The shop's number that the reply's message was written to. */
  writtenTo: string | null;
  /** The account's number of now. */
  linked: string | null;
}

interface NumberChangesParts {
  /** Numbers whose replies may leave from another one, E.164. */
  formerNumbers: ReadonlySet<string>;
  log: Logger;
  /** Told once of each change: not again before no chat waits for it any more. */
  onChange(change: NumberChange): void;
}

/**
 * Holds replies whose messages were written to another number than the account has now: after a change of the SIM or a
 * link to another phone, customers would hear from a number that they don't know. It is the operator's to say whether
 * they may.
 */
export class NumberChanges {
  #parts: NumberChangesParts;
  /** By chat. */
  readonly #held = new Map<number, NumberChange>();

  constructor(parts: NumberChangesParts) {
    this.#parts = parts;
  }

  /** Goes on with other former numbers. */
  adopt(formerNumbers: ReadonlySet<string>): void {
    this.#parts = { ...this.#parts, formerNumbers };
  }

  /** Whether the chat's next reply is held. A number that is not known holds nothing. To be asked when there is one. */
  holds(chat: number, account: string, { writtenTo, linked }: Numbers): boolean {
    const isOther = writtenTo !== null && linked !== null && writtenTo !== linked && e164.safeParse(writtenTo).success;
    if (!isOther || this.#parts.formerNumbers.has(writtenTo)) {
      this.over(chat);
      return false;
    }
    const change = { account, writtenTo: maskAddress(writtenTo), linked: maskAddress(linked) };
    const isNew = ![...this.#held.values()].some((held) => isSame(held, change));
    this.#held.set(chat, change);
    if (isNew) this.#parts.onChange(change);
    return true;
  }

  /** The chat has no reply that waits for this. */
  over(chat: number): void {
    if (this.#held.delete(chat) && this.#held.size === 0)
      this.#parts.log.info("no reply waits for the operator to allow another number any more");
  }

  /** The changes that replies wait for, each once. */
  get all(): NumberChange[] {
    return [...new Map([...this.#held.values()].map((change) => [sentenceOn(change), change])).values()];
  }

  /** What is the case and what to do, a sentence for each change. No customer's number. */
  get problems(): string[] {
    const chats = new Map<string, number>();
    for (const change of this.#held.values()) {
      const sentence = sentenceOn(change);
      chats.set(sentence, (chats.get(sentence) ?? 0) + 1);
    }
    return [...chats].map(([sentence, held]) => `replies of ${count(held, "chat")} wait: ${sentence}`);
  }
}

/** What happened and what to do. */
export function sentenceOn({ account, writtenTo, linked }: NumberChange): string {
  return [
    `account ${account} is linked to another phone number (${linked}) than their customers wrote to (${writtenTo}).`,
    `If the shop has a new number, let them go: add the former one to BRIDGE_FORMER_NUMBERS and reload the settings (hotbags config reload).`,
    `If not, link the right phone: ${howToLink(account)}.`,
  ].join(" ");
}

function isSame(a: NumberChange, b: NumberChange): boolean {
  return a.account === b.account && a.writtenTo === b.writtenTo && a.linked === b.linked;
}
