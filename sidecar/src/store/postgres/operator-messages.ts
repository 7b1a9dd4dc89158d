import type { AttemptRow } from "../messages.ts";
import type { MessageFilter, MessageRow, MessageState, Page, WholeMessage } from "../operator.ts";
import type { Queries } from "./connection.ts";
import { readPage, SCANNED_ROWS } from "./list.ts";

type MessageLife = Omit<WholeMessage, "commands" | "retries">;

const STATE = `CASE WHEN m.discarded_at IS NOT NULL THEN 'discarded' WHEN m.state = 'pending' AND m.detached THEN 'detached'
  ELSE m.state END`;

/** 0: it was not tried yet. */
const ROW = `SELECT m.seq AS id, m.message_id, m.chat, m.account_id, c.chat_id, ${STATE} AS state, m.received_at, m.settled_at,
    m.attempts, CASE WHEN m.state = 'pending' AND m.next_attempt_at > 0 THEN m.next_attempt_at END AS next_attempt_at, m.status,
    m.last_error, m.outbound IS NOT NULL AS is_outbound
  FROM messages m JOIN chats c USING (chat)`;

/** Looks at messages, of all accounts. Never at their texts, unless asked for one of them. */
export class OperatorMessages {
  readonly #db: Queries;
  readonly #toWall: (provenAt: number) => number;

  constructor(db: Queries, toWall: (provenAt: number) => number) {
    this.#db = db;
    this.#toWall = toWall;
  }

  /** Messages with this filter, newest first, from before the message `before` on. */
  async page(filter: MessageFilter, before: number, limit: number): Promise<Page<MessageRow>> {
    const { states = [], chatId, accountId, since } = filter;
    const values: unknown[] = [];
    const name = (value: unknown) => `$${values.push(value)}`;
    const scanned = [`m.seq < ${name(before)}`, "m.outbound IS NULL"];
    const wanted: string[] = [];
    // What an index has, so that few rows are looked at that are not wanted.
    const only = (...some: MessageState[]) => states.length > 0 && states.every((state) => some.includes(state));
    if (only("dead")) scanned.push("m.state = 'dead' AND m.discarded_at IS NULL");
    if (only("discarded")) scanned.push("m.discarded_at IS NOT NULL");
    if (only("pending", "detached")) scanned.push("m.state = 'pending'");
    if (chatId !== undefined) scanned.push(`m.chat IN (SELECT chat FROM chats WHERE chat_id = ${name(chatId)})`);
    if (accountId !== undefined) scanned.push(`m.account_id = ${name(accountId)}`);
    if (states.length > 0) wanted.push(`state = ANY (${name(states)}::text[])`);
    if (since !== undefined)
      wanted.push(
        `coalesce(CASE WHEN state IN ('dead', 'discarded') THEN settled_at END, received_at) >= ${name(Math.ceil(since))}`,
      );
    const scan = `${ROW} WHERE ${scanned.join(" AND ")}`;
    const page = await readPage<MessageRow>(this.#db, { scan, wanted, values, limit });
    return { ...page, rows: page.rows.map((row) => this.#toRow(row)) };
  }

  /** The messages with this id: more than one only where two chats had it. */
  async withMessageId(messageId: string): Promise<MessageRow[]> {
    const rows = await this.#db.rows<MessageRow>(`${ROW} WHERE m.message_id = $1 ORDER BY m.seq`, messageId);
    return rows.map((row) => this.#toRow(row));
  }

  /** See `OperatorReads`: dead letters since this time, the oldest first, from behind the message `after` on. */
  async deadSince(since: number, after: number, limit: number): Promise<{ ids: number[]; next: number | null }> {
    const rows = await this.#db.rows<{ id: number; at: number }>(
      `SELECT seq AS id, coalesce(settled_at, received_at) AS at FROM messages
       WHERE state = 'dead' AND discarded_at IS NULL AND seq > $1 ORDER BY seq LIMIT ${SCANNED_ROWS}`,
      after,
    );
    const ids = rows.filter(({ at }) => at >= since).map(({ id }) => id);
    if (ids.length >= limit) return { ids: ids.slice(0, limit), next: ids[limit - 1] ?? null };
    return { ids, next: rows.length === SCANNED_ROWS ? (rows.at(-1)?.id ?? null) : null };
  }

  async life(id: number): Promise<MessageLife | undefined> {
    const [found] = await this.#db.rows<MessageRow & Pick<MessageLife, "duration_ms" | "request" | "response">>(
      `SELECT row.*, d.duration_ms, p.request, r.response FROM (${ROW} WHERE m.seq = $1) AS row
       JOIN messages d ON d.seq = row.id LEFT JOIN payloads p ON p.seq = row.id LEFT JOIN responses r ON r.seq = row.id`,
      id,
    );
    if (!found) return undefined;
    const { duration_ms, request, response, ...row } = found;
    const failed_attempts = await this.#db.rows<AttemptRow>(
      "SELECT attempt, at, duration_ms, status, error FROM attempts WHERE seq = $1 ORDER BY attempt",
      id,
    );
    let failed_count = failed_attempts.at(-1)?.attempt ?? 0;
    const isDead = row.state === "dead" || row.state === "discarded";
    // The last one of a dead letter is in its own row.
    if (isDead && row.attempts > 0 && row.settled_at !== null) {
      failed_count += 1;
      const { settled_at: at, status, last_error: error } = row;
      failed_attempts.push({ attempt: failed_count, at, duration_ms, status, error });
    }
    return { ...this.#toRow(row), failed_attempts, failed_count, duration_ms, request, response };
  }

  #toRow(row: MessageRow): MessageRow {
    const { next_attempt_at: dueAt } = row;
    return { ...row, next_attempt_at: dueAt === null ? null : Math.round(this.#toWall(dueAt)) };
  }
}
