import type Database from "better-sqlite3";
import type { CommandFilter, CommandLife, CommandRow, Page } from "../../operator.ts";
import { MESSAGE_ID } from "../outbox-rows.ts";
import { pageOf, SCANNED_ROWS } from "./page.ts";

type RawRow = Omit<CommandRow, "is_partial"> & { is_partial: number };

/** Looks at commands. */
export class CommandPages {
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database) {
    this.#sql = prepare(db);
  }

  /** Commands with this filter, newest first, from before the command `before` on. */
  page(filter: CommandFilter, before: number, limit: number): Page<CommandRow> {
    const { rows, ids } = this.#source(filter);
    const source = {
      rows: (from: number) => Iterator.from(rows.iterate(from, SCANNED_ROWS)).map(toRow),
      ids: (from: number) => ids.all(from, SCANNED_ROWS),
      row: (id: number) => {
        const raw = this.#sql.get.get(id);
        return raw && toRow(raw);
      },
    };
    return pageOf(source, { before, isWanted: (row) => matches(row, filter), limit });
  }

  /** Those that came back for a message, in their order. */
  ofMessage(seq: number): CommandRow[] {
    return this.#sql.ofMessage.all(seq).map(toRow);
  }

  /** The command that has this id of Hot Bags'. One that was refused for using it again is found by its number only. */
  withCommandId(commandId: string): CommandRow | undefined {
    const raw = this.#sql.withCommandId.get(commandId);
    return raw && toRow(raw);
  }

  get(id: number): CommandLife | undefined {
    const raw = this.#sql.get.get(id);
    return (
      raw && {
        ...toRow(raw),
        ...(this.#sql.words.get(id) ?? { text: null, details: null, file_bytes: null, said: null }),
      }
    );
  }

  #source({ states = [] }: CommandFilter) {
    if (states.length === 1 && states[0] === "in_doubt") return this.#sql.inDoubt;
    if (states.length === 1 && states[0] === "pending") return this.#sql.pending;
    return this.#sql.all;
  }
}

function matches(row: CommandRow, { states = [], chatId, accountId, since }: CommandFilter): boolean {
  if (states.length > 0 && !states.includes(row.state)) return false;
  if (chatId !== undefined && row.chat_id !== chatId) return false;
  if (accountId !== undefined && row.account_id !== accountId) return false;
  return since === undefined || row.created_at >= since;
}

function toRow(raw: RawRow): CommandRow {
  return { ...raw, is_partial: raw.is_partial === 1 };
}

function prepare(db: Database.Database) {
  const columns = `SELECT k.id, k.command_id, k.seq AS message, ${MESSAGE_ID}, k.chat, c.account_id, c.chat_id, k.type, k.state,
    k.created_at, k.sending_at, k.settled_at, k.whatsapp_message_id, k.partial AS is_partial, k.last_error AS reason
    FROM commands k`;
  const joined = "JOIN messages m USING (seq) JOIN chats c ON c.chat = k.chat";
  const page = (index: string, where: string) => ({
    rows: db.prepare<[number, number], RawRow>(
      `${columns} ${index} ${joined} WHERE ${where} k.id < ? ORDER BY k.id DESC LIMIT ?`,
    ),
    ids: db
      .prepare<[number, number], number>(
        `SELECT k.id FROM commands k ${index || "INDEXED BY commands_message"} WHERE ${where} k.id < ?
         ORDER BY k.id DESC LIMIT ?`,
      )
      .pluck(),
  });
  return {
    all: page("", ""),
    inDoubt: page("INDEXED BY commands_in_doubt", "k.state = 'in_doubt' AND"),
    pending: page("INDEXED BY commands_pending", "k.state = 'pending' AND"),
    ofMessage: db.prepare<[number], RawRow>(`${columns} ${joined} WHERE k.seq = ? ORDER BY k.id`),
    withCommandId: db.prepare<[string], RawRow>(`${columns} ${joined} WHERE k.command_id = ? AND k.owns_id = 1`),
    get: db.prepare<[number], RawRow>(`${columns} ${joined} WHERE k.id = ?`),
    words: db.prepare<[number], Pick<CommandLife, "text" | "details" | "file_bytes" | "said">>(
      "SELECT text, details, length(file) AS file_bytes, said FROM commands WHERE id = ?",
    ),
  };
}
