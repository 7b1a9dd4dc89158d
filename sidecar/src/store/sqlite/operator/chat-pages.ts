import type Database from "better-sqlite3";
import type { ChatCounts, ChatFilter, ChatRow, Page, Spoken, SpokenCommand, SpokenMessage } from "../../operator.ts";
import { pageOf, SCANNED_ROWS } from "./page.ts";

/** Looks at chats: which there are, and what was said in one. */
export class ChatPages {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database) {
    this.#sql = prepare(db);
  }

  /** The one whose last message came last first, from before the message `before` on. */
  page({ accountId, chatId }: ChatFilter, before: number, limit: number): Page<ChatRow> {
    if (chatId !== undefined) return this.#ofNumber(chatId, accountId);
    const source = {
      rows: (from: number) => this.#sql.page.iterate(from, SCANNED_ROWS),
      ids: (from: number) => this.#sql.ids.all(from, SCANNED_ROWS),
      row: (id: number) => this.#sql.row.get(id),
    };
    const isWanted = (row: ChatRow & { is_last: number }) =>
      row.is_last === 1 && (accountId === undefined || row.account_id === accountId);
    const { rows, ...rest } = pageOf(source, { before, isWanted, limit });
    return { rows: rows.map(({ is_last: _, ...row }) => row), ...rest };
  }

  get(chat: number): { account_id: string; chat_id: string } | undefined {
    return this.#sql.chat.get(chat);
  }

  counts(chats: readonly number[]): Map<number, ChatCounts> {
    const doubts = new Map<number, number>();
    for (const { chat } of this.#sql.inDoubt.all()) doubts.set(chat, (doubts.get(chat) ?? 0) + 1);
    const { messages, lane, detached, replies, dead } = this.#sql;
    const count = (statement: typeof messages, chat: number) => statement.get(chat)?.n ?? 0;
    return new Map(
      chats.map((chat) => [
        chat,
        {
          messages: count(messages, chat),
          waiting: count(lane, chat) + count(detached, chat) + count(replies, chat),
          dead: count(dead, chat),
          in_doubt: doubts.get(chat) ?? 0,
        },
      ]),
    );
  }

  /** The last messages of a chat before this one, the newest first, each with what came back for it, in its order. */
  conversation(chat: number, before: number, limit: number): Spoken[] {
    return this.#sql.spoken.all(chat, before, limit).map((message) => ({
      ...message,
      commands: this.#sql.answers.all(message.id),
    }));
  }

  #ofNumber(chatId: string, accountId: string | undefined): Page<ChatRow> {
    const chats = this.#sql.ofNumber
      .all(chatId)
      .filter((row) => accountId === undefined || row.account_id === accountId);
    const rows = chats.flatMap((chat) => {
      const last = this.#sql.last.get(chat.chat);
      return last ? [{ ...chat, ...last }] : [];
    });
    return { rows: rows.sort((a, b) => b.id - a.id), next: null, unreadable: [] };
  }
}

/** `+?`: see messages.ts. */
function prepare(db: Database.Database) {
  const columns = `SELECT m.seq AS id, m.chat, c.account_id, c.chat_id, m.received_at AS last_at,
    NOT EXISTS (SELECT 1 FROM messages n WHERE n.chat = m.chat AND n.seq > m.seq) AS is_last
    FROM messages m JOIN chats c USING (chat)`;
  const counting = (rows: string) =>
    db.prepare<[number], { n: number }>(`SELECT count(*) AS n FROM (SELECT 1 FROM ${rows} LIMIT 1000)`);
  return {
    page: db.prepare<[number, number], ChatRow & { is_last: number }>(
      `${columns} WHERE m.seq < ? ORDER BY m.seq DESC LIMIT ?`,
    ),
    ids: db
      .prepare<[number, number], number>(
        "SELECT m.seq FROM messages m INDEXED BY messages_key WHERE m.seq < ? ORDER BY m.seq DESC LIMIT ?",
      )
      .pluck(),
    row: db.prepare<[number], ChatRow & { is_last: number }>(`${columns} WHERE m.seq = ?`),
    chat: db.prepare<[number], { account_id: string; chat_id: string }>(
      "SELECT account_id, chat_id FROM chats WHERE chat = ?",
    ),
    ofNumber: db.prepare<[string], Omit<ChatRow, "id" | "last_at">>(
      "SELECT chat, account_id, chat_id FROM chats WHERE chat_id = ?",
    ),
    last: db.prepare<[number], Pick<ChatRow, "id" | "last_at">>(
      "SELECT seq AS id, received_at AS last_at FROM messages WHERE chat = ? ORDER BY seq DESC LIMIT 1",
    ),
    messages: counting("messages INDEXED BY messages_chat WHERE chat = ?"),
    lane: counting("messages WHERE chat = +? AND state = 'pending' AND detached = 0"),
    detached: counting("messages WHERE chat = +? AND state = 'pending' AND detached = 1"),
    replies: counting("commands WHERE chat = +? AND state = 'pending'"),
    dead: counting(
      "messages INDEXED BY messages_dead_chat WHERE chat = +? AND state = 'dead' AND discarded_at IS NULL",
    ),
    inDoubt: db.prepare<[], { chat: number }>(
      "SELECT chat FROM commands INDEXED BY commands_in_doubt WHERE state = 'in_doubt' ORDER BY id DESC LIMIT 1000",
    ),
    spoken: db.prepare<[number, number, number], SpokenMessage>(
      `SELECT m.seq AS id, m.state, m.detached, m.discarded_at, m.received_at, p.request, m.outbound
       FROM messages m INDEXED BY messages_chat LEFT JOIN payloads p USING (seq)
       WHERE m.chat = ? AND m.seq < ? ORDER BY m.seq DESC LIMIT ?`,
    ),
    answers: db.prepare<[number], SpokenCommand>(
      `SELECT id, type, state, created_at, sending_at, settled_at, text, details, length(file) AS file_bytes
       FROM commands WHERE seq = ? ORDER BY id`,
    ),
  };
}
