import type { InboundMessage } from "@hotbags/shared";
import type Database from "better-sqlite3";
import { isDamage } from "../errors.ts";
import { madeUp, TRIES } from "../made-up-message.ts";
import type { CommandWrites } from "./command-writes.ts";
import type { Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { Media } from "./media.ts";
import type { MessageWrites } from "./message-writes.ts";
import type { Messages } from "./messages.ts";

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
      const next = commands.next(chat);
      if (!next) return;
      commandWrites.sending(next.id, id, null);
      commandWrites.settled(next.id, "sent", { reason: null, whatsappMessageId: id });
      counters.write();
    } finally {
      if (db.inTransaction) this.#rollback.run();
      counters.takeBack();
    }
  }
}
