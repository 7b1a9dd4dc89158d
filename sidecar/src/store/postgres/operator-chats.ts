import type { ChatRow, OperatorReads, Page, SpokenCommand, SpokenMessage } from "../operator.ts";
import type { Queries } from "./connection.ts";
import { readPage } from "./list.ts";

type ChatFilter = Parameters<OperatorReads["chats"]>[0];
type Counts = Awaited<ReturnType<OperatorReads["chatCounts"]>>;
type ChatCounts = Counts extends Map<number, infer One> ? One : never;

/** More are not counted. */
const MAX_COUNTED = 1_000;

/** Looks at chats, of all accounts: which there are, and what was said in one. */
export class OperatorChats {
  readonly #db: Queries;

  constructor(db: Queries) {
    this.#db = db;
  }

  /** The one whose last message came last first, from before the message `before` on. */
  async page({ accountId, chatId }: ChatFilter, before: number, limit: number): Promise<Page<ChatRow>> {
    if (chatId !== undefined) return await this.#ofNumber(chatId, accountId);
    const values: unknown[] = [before];
    const ofAccount = accountId === undefined ? "" : ` AND m.account_id = $${values.push(accountId)}`;
    const scan = `SELECT m.seq AS id, m.chat, m.account_id, c.chat_id, m.received_at AS last_at,
        NOT EXISTS (SELECT 1 FROM messages n WHERE n.chat = m.chat AND n.seq > m.seq) AS is_last
      FROM messages m JOIN chats c USING (chat) WHERE m.seq < $1${ofAccount}`;
    const page = await readPage<ChatRow & { is_last: boolean }>(this.#db, { scan, wanted: ["is_last"], values, limit });
    return { ...page, rows: page.rows.map(({ is_last: _, ...row }) => row) };
  }

  async get(chat: number): Promise<{ account_id: string; chat_id: string } | undefined> {
    const rows = this.#db.rows<{ account_id: string; chat_id: string }>(
      "SELECT account_id, chat_id FROM chats WHERE chat = $1",
      chat,
    );
    return (await rows)[0];
  }

  async numberOf(accountId: string, chatId: string): Promise<number | undefined> {
    const rows = this.#db.rows<{ chat: number }>(
      "SELECT chat FROM chats WHERE account_id = $1 AND chat_id = $2",
      ...[accountId, chatId],
    );
    return (await rows)[0]?.chat;
  }

  async counts(chats: readonly number[]): Promise<Counts> {
    const count = (table: string, where: string) =>
      `(SELECT count(*) FROM (SELECT 1 FROM ${table} t WHERE t.chat = g.chat AND ${where} LIMIT ${MAX_COUNTED}) AS counted)`;
    const rows = await this.#db.rows<ChatCounts & { chat: number }>(
      `SELECT g.chat, ${count("messages", "true")} AS messages,
         ${count("messages", "t.state = 'pending' AND NOT t.detached")} + ${count("messages", "t.state = 'pending' AND t.detached")}
           + ${count("commands", "t.state = 'pending'")} AS waiting,
         ${count("messages", "t.state = 'dead' AND t.discarded_at IS NULL")} AS dead,
         (SELECT count(*) FROM (SELECT chat FROM commands WHERE state = 'in_doubt' ORDER BY id DESC LIMIT ${MAX_COUNTED}) AS d
          WHERE d.chat = g.chat) AS in_doubt
       FROM unnest($1::bigint[]) AS g (chat)`,
      chats,
    );
    return new Map(rows.map(({ chat, ...counts }) => [chat, counts]));
  }

  /** The last messages of a chat before this one, the newest first, each with what came back for it, in its order. */
  async conversation(chat: number, before: number, limit: number): ReturnType<OperatorReads["conversation"]> {
    const messages = await this.#db.rows<SpokenMessage>(
      `SELECT m.seq AS id, m.state, m.detached::int AS detached, m.discarded_at, m.received_at, p.request, m.outbound
       FROM messages m LEFT JOIN payloads p USING (seq) WHERE m.chat = $1 AND m.seq < $2 ORDER BY m.seq DESC LIMIT $3`,
      ...[chat, before, limit],
    );
    const commands = await this.#db.rows<SpokenCommand & { seq: number }>(
      `SELECT seq, id, type, state, created_at, sending_at, settled_at, text, details, octet_length(file) AS file_bytes
       FROM commands WHERE seq = ANY ($1) ORDER BY id`,
      messages.map(({ id }) => id),
    );
    const of = (id: number) => commands.filter(({ seq }) => seq === id).map(({ seq: _, ...command }) => command);
    return messages.map((message) => ({ ...message, commands: of(message.id) }));
  }

  async #ofNumber(chatId: string, accountId: string | undefined): Promise<Page<ChatRow>> {
    const rows = await this.#db.rows<ChatRow>(
      `SELECT m.id, c.chat, c.account_id, c.chat_id, m.last_at FROM chats c CROSS JOIN LATERAL
         (SELECT seq AS id, received_at AS last_at FROM messages WHERE messages.chat = c.chat ORDER BY seq DESC LIMIT 1) m
       WHERE c.chat_id = $1 AND ($2::text IS NULL OR c.account_id = $2) ORDER BY m.id DESC`,
      ...[chatId, accountId ?? null],
    );
    return { rows, next: null, unreadable: [] };
  }
}
