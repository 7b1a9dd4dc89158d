import { randomBytes, randomInt } from "node:crypto";
import type { InboundMessage } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { CommandWrites } from "./command-writes.ts";
import type { Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import { isDamage } from "./errors.ts";
import type { Media } from "./media.ts";
import type { MessageWrites } from "./message-writes.ts";
import type { Messages } from "./messages.ts";

/**
 * Made-up messages at the most. Their ids are random: where an index is in the order of ids, each comes to another page
 * of it, and one damaged page among several is not the whole store's damage.
 */
const TRIES = 8;

interface RehearsalParts {
  db: Database.Database;
  counters: Counters;
  messages: Messages;
  messageWrites: MessageWrites;
  commands: Commands;
  commandWrites: CommandWrites;
  media: Media;
}

/**
 * Whether the next message would come through: a made-up one is taken in, delivered and answered, with the statements
 * that do so for all others, and then taken back. What only few messages need is left out: where that is damaged, they
 * are given up one by one.
 */
export class Rehearsal {
  readonly #parts: RehearsalParts;
  readonly #begin: Database.Statement;
  readonly #rollback: Database.Statement;

  constructor(parts: RehearsalParts) {
    this.#parts = parts;
    this.#begin = parts.db.prepare("BEGIN IMMEDIATE");
    this.#rollback = parts.db.prepare("ROLLBACK");
  }

  /** Throws what stands in the way of the last one, if none comes through. */
  run(): void {
    let damage: unknown;
    for (let n = 0; n < TRIES; n += 1) {
      try {
        return this.#try(madeUp());
      } catch (error) {
        if (!isDamage(error)) throw error;
        damage = error;
      }
    }
    throw damage;
  }

  #try(message: InboundMessage): void {
    const { db, counters, messages, messageWrites, commands, commandWrites, media } = this.#parts;
    const [id, text] = [message.message_id, message.text];
    const command = { commandId: id, type: "send_text", text, payload: id, refusal: null };
    this.#begin.run();
    try {
      const { seq, chat } = messageWrites.accept(message, media.layOut(message));
      messages.headOf(chat);
      messageWrites.delivered(seq, { status: 200 }, "{}", [command]);
      const next = commands.nextOf(chat);
      if (!next) return;
      commandWrites.sending(next.id, id);
      commandWrites.settled(next.id, "sent", { reason: null, whatsappMessageId: id });
      counters.write();
    } finally {
      if (db.inTransaction) this.#rollback.run();
      counters.takeBack();
    }
  }
}

/** A message that there is not. */
export function madeUp(): InboundMessage {
  const number = `+${randomInt(10 ** 11, 10 ** 12)}`;
  return {
    account_id: "default",
    message_id: randomBytes(16).toString("hex").toUpperCase(),
    chat_id: number,
    from: number,
    text: "rehearsal",
    media: [],
    // Behind any time that a restore has lost: its reply is to be rehearsed, too.
    timestamp: "9999-12-31T23:59:59.999Z",
    raw: {},
  };
}
