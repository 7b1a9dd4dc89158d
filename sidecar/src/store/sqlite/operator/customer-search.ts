import type Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import type { Found, SearchStep } from "../../operator.ts";
import type { ForgottenKeys } from "../forgotten-keys.ts";

/** Messages that are looked at in one go, whoever they are of: some ms, in which nothing else is written. */
const CHUNK = 500;

/** One request goes on for so long, ms, then says how far it has come. */
export const STEP_MS = 1_000;

export const NOTHING: Found = {
  messages: 0,
  waiting: 0,
  dead: 0,
  replies_waiting: 0,
  replies_in_doubt: 0,
  replies_being_sent: 0,
  files: 0,
};

/** A message of a customer's. */
export interface MessageOf {
  seq: number;
  chat: number;
  message_id: string;
  state: string;
  detached: number;
  discarded_at: number | null;
  chat_id: string;
}

/** A command of such a message. */
export interface CommandOf {
  id: number;
  state: string;
  command_id: string | null;
}

interface SearchParts {
  db: Database.Database;
  clock: Clock;
  forgotten: ForgottenKeys;
}

/**
 * Finds what there is of a customer. All messages are gone through, since in groups a customer is only named within; in
 * chunks, so that nothing waits for it.
 */
export class CustomerSearch {
  readonly #parts: SearchParts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(parts: SearchParts) {
    this.#parts = parts;
    this.#sql = prepare(parts.db);
  }

  /** Counts for a second, from behind the message `after` on, and changes nothing. Rejects when a page can't be read. */
  async step(number: string, after: number): Promise<SearchStep> {
    const { clock } = this.#parts;
    const began = clock.uptimeMs();
    const found = { ...NOTHING };
    let next: number | null = after;
    while (next !== null && clock.uptimeMs() - began < STEP_MS) {
      const chunk = this.chunkAfter(number, next);
      for (const row of chunk.rows) this.add(row, this.commandsOf(row), found);
      next = chunk.next;
      // Others have their turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { found, next, progress: this.progressAt(next) };
  }

  /** The messages of this customer among the next ones. `next`: where those behind begin; null: there are none. */
  chunkAfter(number: string, after: number): { rows: MessageOf[]; next: number | null } {
    const all = this.#sql.chunk.all(after);
    const rows = all.filter((row) => {
      if (row.chat_id === number) return !this.#parts.forgotten.isForgotten(row.message_id);
      return row.chat_id.endsWith("@g.us") && this.#sql.sender.get(row.seq)?.sender === number;
    });
    return { rows, next: all.length === CHUNK ? (all.at(-1)?.seq ?? null) : null };
  }

  commandsOf({ seq }: MessageOf): CommandOf[] {
    return this.#sql.commands.all(seq);
  }

  /** Adds a message to what was found. */
  add(row: MessageOf, commands: CommandOf[], found: Found): void {
    const count = (...states: string[]) => commands.filter(({ state }) => states.includes(state)).length;
    found.messages += 1;
    if (row.state === "pending") found.waiting += 1;
    if (row.state === "dead" && row.discarded_at === null) found.dead += 1;
    found.replies_waiting += count("pending");
    found.replies_in_doubt += count("in_doubt");
    found.replies_being_sent += count("sending", "queued_by_gateway");
    found.files += this.#sql.files.get(row.seq)?.n ?? 0;
  }

  progressAt(next: number | null): number {
    return next === null ? 1 : Math.min(1, next / Math.max(1, this.#sql.last.get()?.seq ?? 1));
  }
}

function prepare(db: Database.Database) {
  return {
    last: db.prepare<[], { seq: number | null }>("SELECT max(seq) AS seq FROM messages"),
    chunk: db.prepare<[number], MessageOf>(
      `SELECT m.seq, m.chat, m.message_id, m.state, m.detached, m.discarded_at, c.chat_id
       FROM messages m JOIN chats c USING (chat) WHERE m.seq > ? ORDER BY m.seq LIMIT ${CHUNK}`,
    ),
    sender: db.prepare<[number], { sender: unknown }>(
      "SELECT json_extract(request, '$.from') AS sender FROM payloads WHERE seq = ?",
    ),
    commands: db.prepare<[number], CommandOf>("SELECT id, state, command_id FROM commands WHERE seq = ?"),
    files: db.prepare<[number], { n: number }>("SELECT count(*) AS n FROM media WHERE seq = ?"),
  };
}
