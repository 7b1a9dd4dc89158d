import type Database from "better-sqlite3";
import type { MessageFilter, MessageLife, MessageRow, MessageState, Page } from "../../operator.ts";
import { Attempts } from "../attempts.ts";
import { pageOf, SCANNED_ROWS, type Source } from "./page.ts";

interface RawRow extends Omit<MessageRow, "state" | "next_attempt_at" | "is_outbound"> {
  outbound: string | null;
  state: "pending" | "delivered" | "dead";
  detached: number;
  discarded_at: number | null;
  next_attempt_at: number;
}

/** Looks at messages. Never at their texts, unless asked for one of them. */
export class MessagePages {
  readonly #toWall: (provenAt: number) => number;
  readonly #attempts: Attempts;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, toWall: (provenAt: number) => number) {
    this.#toWall = toWall;
    this.#attempts = new Attempts(db);
    this.#sql = prepare(db);
  }

  /** Messages with this filter, newest first, from before the message `before` on. */
  page(filter: MessageFilter, before: number, limit: number): Page<MessageRow> {
    const { rows, ids } = this.#source(filter);
    const source = {
      rows: (from: number) => Iterator.from(rows(from)).map((row) => this.#toRow(row)),
      ids,
      row: (id: number) => {
        const raw = this.#sql.get.get(id);
        return raw && this.#toRow(raw);
      },
    };
    return pageOf(source, { before, isWanted: (row) => matches(row, filter), limit });
  }

  /** The messages with this id: more than one only where two chats had it. */
  withMessageId(messageId: string): MessageRow[] {
    return this.#sql.withMessageId.all(messageId).map((row) => this.#toRow(row));
  }

  /**
   * Dead letters since this time (wall-clock ms), the oldest first, from behind the message `after` on: at most `limit`.
   * `next`: what the next ones come after; null: these were the last.
   */
  deadSince(since: number, after: number, limit: number): { ids: number[]; next: number | null } {
    const rows = this.#sql.deadFrom.all(after, SCANNED_ROWS);
    const ids: number[] = [];
    for (const { id, at } of rows) {
      if (at >= since) ids.push(id);
      if (ids.length === limit) return { ids, next: id };
    }
    return { ids, next: rows.length === SCANNED_ROWS ? (rows.at(-1)?.id ?? null) : null };
  }

  life(id: number): MessageLife | undefined {
    const raw = this.#sql.get.get(id);
    if (!raw) return undefined;
    const { request = null, response = null } = this.#sql.payload.get(id) ?? {};
    const row = this.#toRow(raw);
    const duration_ms = this.#sql.duration.get(id)?.duration_ms ?? null;
    const failed_attempts = this.#attempts.of(id);
    let failed_count = this.#attempts.countOf(id);
    // The last one of a dead letter is in its own row.
    if (raw.state === "dead" && row.attempts > 0 && row.settled_at !== null) {
      failed_count += 1;
      const { settled_at: at, status, last_error: error } = row;
      failed_attempts.push({ attempt: failed_count, at, duration_ms, status, error });
    }
    return {
      ...row,
      ...{ failed_attempts, failed_count, duration_ms },
      request,
      response,
    };
  }

  #toRow({ detached, discarded_at, outbound, next_attempt_at: dueAt, ...raw }: RawRow): MessageRow {
    let state: MessageState = raw.state;
    if (state === "pending" && detached === 1) state = "detached";
    if (discarded_at !== null) state = "discarded";
    // 0: it was not tried yet.
    const next = raw.state === "pending" && dueAt > 0 ? Math.round(this.#toWall(dueAt)) : null;
    return { ...raw, state, next_attempt_at: next, is_outbound: outbound !== null };
  }

  /** What passes over the fewest rows that are not wanted. */
  #source({ states = [], chatId }: MessageFilter): Pick<Source<RawRow>, "rows" | "ids"> {
    const only = (...wanted: MessageState[]) => states.length > 0 && states.every((state) => wanted.includes(state));
    if (only("dead")) return by(this.#sql.dead);
    if (only("discarded")) return by(this.#sql.discarded);
    if (only("pending", "detached")) return by(this.#sql.pending);
    return chatId === undefined ? by(this.#sql.all) : this.#ofNumber(chatId);
  }

  /** A number has one chat with each account. */
  #ofNumber(chatId: string) {
    const { chats, ofChat } = this.#sql;
    const numbers = chats.all(chatId);
    const newest = <Row>(some: Row[], id: (row: Row) => number) =>
      some.sort((a, b) => id(b) - id(a)).slice(0, SCANNED_ROWS);
    return {
      rows: (from: number) =>
        newest(
          numbers.flatMap((chat) => ofChat.rows.all(chat, from, SCANNED_ROWS)),
          ({ id }) => id,
        ),
      ids: (from: number) =>
        newest(
          numbers.flatMap((chat) => ofChat.ids.all(chat, from, SCANNED_ROWS)),
          (id) => id,
        ),
    };
  }
}

type Listing = ReturnType<typeof prepare>["all"];

const by = ({ rows, ids }: Listing) => ({
  rows: (from: number) => rows.iterate(from, SCANNED_ROWS),
  ids: (from: number) => ids.all(from, SCANNED_ROWS),
});

function matches(row: MessageRow, { states = [], chatId, accountId, since }: MessageFilter): boolean {
  if (row.is_outbound) return false;
  if (states.length > 0 && !states.includes(row.state)) return false;
  if (chatId !== undefined && row.chat_id !== chatId) return false;
  if (accountId !== undefined && row.account_id !== accountId) return false;
  const isGivenUp = row.state === "dead" || row.state === "discarded";
  return since === undefined || ((isGivenUp ? row.settled_at : null) ?? row.received_at) >= since;
}

function prepare(db: Database.Database) {
  const columns = `SELECT m.seq AS id, m.message_id, m.chat, c.account_id, c.chat_id, m.state, m.detached, m.discarded_at,
    m.received_at, m.settled_at, m.attempts, m.next_attempt_at, m.status, m.last_error, m.outbound FROM messages m`;
  const page = (index: string, where: string) => ({
    rows: db.prepare<[number, number], RawRow>(
      `${columns} ${index} JOIN chats c USING (chat) WHERE ${where} m.seq < ? ORDER BY m.seq DESC LIMIT ?`,
    ),
    ids: db
      .prepare<[number, number], number>(
        `SELECT m.seq FROM messages m ${index || "INDEXED BY messages_key"} WHERE ${where} m.seq < ?
         ORDER BY m.seq DESC LIMIT ?`,
      )
      .pluck(),
  });
  return {
    all: page("", ""),
    dead: page("INDEXED BY messages_dead", "m.state = 'dead' AND m.discarded_at IS NULL AND"),
    discarded: page("INDEXED BY messages_discarded", "m.discarded_at IS NOT NULL AND"),
    pending: page("INDEXED BY messages_pending", "m.state = 'pending' AND"),
    chats: db.prepare<[string], number>("SELECT chat FROM chats WHERE chat_id = ?").pluck(),
    ofChat: {
      rows: db.prepare<[number, number, number], RawRow>(
        `${columns} INDEXED BY messages_chat JOIN chats c USING (chat) WHERE m.chat = ? AND m.seq < ?
         ORDER BY m.seq DESC LIMIT ?`,
      ),
      ids: db
        .prepare<[number, number, number], number>(
          "SELECT seq FROM messages INDEXED BY messages_chat WHERE chat = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        )
        .pluck(),
    },
    deadFrom: db.prepare<[number, number], { id: number; at: number }>(
      `SELECT seq AS id, coalesce(settled_at, received_at) AS at FROM messages INDEXED BY messages_dead
       WHERE state = 'dead' AND discarded_at IS NULL AND seq > ? ORDER BY seq LIMIT ?`,
    ),
    withMessageId: db.prepare<[string], RawRow>(`${columns} JOIN chats c USING (chat) WHERE m.message_id = ?`),
    get: db.prepare<[number], RawRow>(`${columns} JOIN chats c USING (chat) WHERE m.seq = ?`),
    duration: db.prepare<[number], { duration_ms: number | null }>("SELECT duration_ms FROM messages WHERE seq = ?"),
    payload: db.prepare<[number], { request: string; response: string | null }>(
      "SELECT request, response FROM payloads WHERE seq = ?",
    ),
  };
}
