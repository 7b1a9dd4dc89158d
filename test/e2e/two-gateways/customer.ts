import { expect } from "vitest";
import type { Command, Message } from "../../hotbags/index.ts";
import { until } from "../../until.ts";
import type { BotMessage, Contact, Sent } from "../../whatsapp/index.ts";
import { ends, lisbon, type Machine, machines } from "./machines.ts";

/** So many replies has each message. */
export const REPLIES = 3;

/** Replies may have to wait until another sidecar works on the account. */
export const PATIENCE_MS = 120_000;

/** A sidecar logs it of a command that OpenClaw called sent in part. */
const IN_PART = "the customer has a part of the reply, and gets no more of it";

/** The ids of all messages that customers have written so far. */
export const written = new Set<string>();

/** What Hot Bags answers to a message. */
export function answer({ message_id, text }: Message): Command[] {
  return repliesTo({ id: message_id, text }).map(({ id, reply }) => ({
    command_id: id,
    type: "send_text",
    text: reply,
  }));
}

function repliesTo({ id, text }: Pick<Sent, "id" | "text">) {
  return Array.from({ length: REPLIES }, (_, n) => ({ id: `${id}-${n}`, reply: `${n + 1}. to ${text}` }));
}

/**
 * The commands of which OpenClaw has said that they went out in part. On a busy machine it does so now and then of
 * one that went out whole, or not at all, and they stay in doubt: docs/limits.md. Nothing is expected of these.
 */
export function leftInDoubt(): ReadonlySet<string> {
  const lines = machines.flatMap(({ sidecar }) => sidecar.lines.filter(({ msg }) => msg?.startsWith(IN_PART)));
  return new Set(lines.map((line) => String(line["command_id"])));
}

/** The replies to these messages that a phone must show, and those of what it shows, each in order. */
export function compare(said: readonly Sent[], shown: readonly BotMessage[]): { due: string[]; heard: unknown[] } {
  const doubts = leftInDoubt();
  const all = said.flatMap(repliesTo);
  const doubtful = new Set(all.filter(({ id }) => doubts.has(id)).map(({ reply }) => reply));
  return {
    due: all.map(({ reply }) => reply).filter((reply) => !doubtful.has(reply)),
    heard: shown.map(({ text }) => text).filter((text) => text === undefined || !doubtful.has(text)),
  };
}

/** The POSTs of a message, in order. */
export function postsOf(id: string) {
  return ends.hotbags.requests.filter(({ key }) => key === id);
}

/** Somebody who writes to the number of a machine, and says nothing twice. */
export class Customer {
  readonly said: Sent[] = [];
  readonly #machine: Machine;
  readonly #phone: Contact;

  constructor(machine: Machine, phone = lisbon.newCustomer()) {
    this.#machine = machine;
    this.#phone = phone;
  }

  get number(): string {
    return this.#phone.number;
  }

  async says(text: string): Promise<Sent> {
    const sent = await this.#phone.says(text, { to: this.#machine.account });
    this.said.push(sent);
    written.add(sent.id);
    return sent;
  }

  /**
   * Says one thing after the other, and hears all replies to each before the next: in the instant in which a reply
   * goes out Baileys can lose what its customer writes.
   */
  async talks(...texts: string[]): Promise<void> {
    for (const text of texts) {
      await this.says(text);
      await until(`${this.number} is answered`, () => this.isAnswered, PATIENCE_MS);
    }
  }

  /** What the number has answered, and what it has to, each in order. */
  get replies() {
    const { account } = this.#machine;
    const shown = this.#phone.heard.filter(({ accountId }) => accountId === account);
    return compare(this.said, shown);
  }

  get isAnswered(): boolean {
    const { heard, due } = this.replies;
    return heard.length >= due.length;
  }

  /** Messages are at Hot Bags and replies on the phone, each once and in order; POSTs of one have the same bytes. */
  expectAllOnce(): void {
    const ids = this.said.map(({ id }) => id);
    const accepted = ends.hotbags.accepted.map(({ message_id }) => message_id);
    expect(accepted.filter((id) => ids.includes(id))).toEqual(ids);
    for (const id of ids) expect(new Set(postsOf(id).map(({ rawBody }) => rawBody.toString())).size).toBe(1);
    const { heard, due } = this.replies;
    expect(heard).toEqual(due);
  }
}
