import type Database from "better-sqlite3";
import { type AnswerTimes, answerTimes } from "../commands.ts";
import { isMalformed, unlessDamagedWithin } from "./faults.ts";

/** What the request says of the message that a command answers, as far as a reply depends on it. */
export interface Written {
  /** The shop's number that it was written to; null: see NextCommand. */
  to: string | null;
  times: AnswerTimes;
}

/** Reads what a command's message says: its own request, or, of what is in the outbox, that of the chat's last message. */
export class WrittenMessages {
  readonly #db: Database.Database;
  readonly #statement: Database.Statement<[{ seq: number }], { to: unknown; at: unknown }>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statement = db.prepare(
      `SELECT json_extract(request, '$.raw.To') AS "to", json_extract(request, '$.timestamp') AS at FROM payloads WHERE seq =
         (SELECT CASE WHEN outbound IS NULL THEN seq ELSE
         (SELECT seq FROM messages w INDEXED BY messages_chat WHERE w.chat = m.chat AND w.seq < m.seq AND outbound IS NULL
          ORDER BY seq DESC LIMIT 1) END FROM messages m WHERE seq = @seq)`,
    );
  }

  /** `answeredAt`: wall-clock ms; null: it answers none. What can't be read is not known. */
  of({ seq, outbound }: { seq: number; outbound: string | null }, answeredAt: number | null): Written {
    const found = unlessDamagedWithin(
      this.#db,
      () => this.#read(seq),
      () => undefined,
    );
    const to = typeof found?.to === "string" ? found.to : null;
    return { to, times: answerTimes(outbound === null ? found?.at : null, answeredAt) };
  }

  #read(seq: number): { to: unknown; at: unknown } | undefined {
    try {
      return this.#statement.get({ seq });
    } catch (error) {
      if (isMalformed(error)) return undefined;
      throw error;
    }
  }
}
