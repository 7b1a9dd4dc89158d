import type { CommandFilter, CommandLife, CommandRow, Page } from "../operator.ts";
import type { Queries } from "./connection.ts";
import { readPage } from "./list.ts";

const COLUMNS = `k.id, k.command_id, k.seq AS message, CASE WHEN m.outbound IS NULL THEN m.message_id ELSE 'outbox' END AS message_id,
  k.chat, k.account_id, c.chat_id, k.type, k.state, k.created_at, k.sending_at, k.settled_at, k.whatsapp_message_id,
  k.partial AS is_partial, k.last_error AS reason`;
const FROM = "FROM commands k JOIN messages m USING (seq) JOIN chats c ON c.chat = k.chat";
const ROW = `SELECT ${COLUMNS} ${FROM}`;

/** Looks at commands, of all accounts. */
export class OperatorCommands {
  readonly #db: Queries;

  constructor(db: Queries) {
    this.#db = db;
  }

  /** Commands with this filter, newest first, from before the command `before` on. */
  async page(filter: CommandFilter, before: number, limit: number): Promise<Page<CommandRow>> {
    const { states = [], chatId, accountId, since } = filter;
    const values: unknown[] = [];
    const name = (value: unknown) => `$${values.push(value)}`;
    const scanned = [`k.id < ${name(before)}`];
    const wanted: string[] = [];
    const [only] = states;
    if (states.length === 1 && (only === "in_doubt" || only === "pending")) scanned.push(`k.state = '${only}'`);
    if (accountId !== undefined) scanned.push(`k.account_id = ${name(accountId)}`);
    if (states.length > 0) wanted.push(`state = ANY (${name(states)}::text[])`);
    if (chatId !== undefined) wanted.push(`chat_id = ${name(chatId)}`);
    if (since !== undefined) wanted.push(`created_at >= ${name(Math.ceil(since))}`);
    const scan = `${ROW} WHERE ${scanned.join(" AND ")}`;
    return await readPage<CommandRow>(this.#db, { scan, wanted, values, limit });
  }

  /** Those that came back for a message, in their order. */
  async ofMessage(seq: number): Promise<CommandRow[]> {
    return await this.#db.rows<CommandRow>(`${ROW} WHERE k.seq = $1 ORDER BY k.id`, seq);
  }

  /** The command that has this id of Hot Bags'. One that was refused for using it again is found by its number only. */
  async withCommandId(commandId: string): Promise<CommandRow | undefined> {
    return (await this.#db.rows<CommandRow>(`${ROW} WHERE k.command_id = $1 AND k.owns_id`, commandId))[0];
  }

  async get(id: number): Promise<CommandLife | undefined> {
    const [row] = await this.#db.rows<CommandLife>(
      `SELECT ${COLUMNS}, k.text, k.details, octet_length(k.file) AS file_bytes, k.said ${FROM} WHERE k.id = $1`,
      id,
    );
    return row;
  }
}
