import { storableText } from "@hotbags/shared";
import type Database from "better-sqlite3";
import type { Clock } from "../../../clock.ts";
import {
  bytesOf,
  columnsOf,
  hashRow,
  type Ledger,
  MOVED_TABLES,
  type MovedTable,
  newChecksum,
  PAGE_BYTES,
  PAGE_ROWS,
  type Row,
  type Value,
} from "../../moving.ts";
import { ProvenTime } from "../proven-time.ts";

/** The last number of a session is in a table of SQLite's own. */
const NUMBERS = "SELECT 1 AS id, seq AS last FROM sqlite_sequence WHERE name = 'console_sessions'";

/** The rows of a database, as they are moved and compared. */
export class MovingRows {
  readonly #db: Database.Database;
  readonly #clock: Clock;
  readonly #pages: ReadonlyMap<string, { first: Database.Statement<Value[]>; next: Database.Statement<Value[]> }>;

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#pages = new Map(MOVED_TABLES.map((table) => [table.name, preparePages(db, table)]));
  }

  async count({ name }: MovedTable): Promise<number> {
    const from = name === "console_numbers" ? `(${NUMBERS})` : name;
    return Number(this.#db.prepare(`SELECT count(*) FROM ${from}`).pluck().get());
  }

  async page(table: MovedTable, after: Row | null): Promise<Row[]> {
    const statement = this.#pages.get(table.name);
    if (!statement) throw new Error(`there is no table ${table.name}`);
    if (table.isSmall && after !== null) return [];
    const rows: Row[] = [];
    let bytes = 0;
    const found = after === null ? statement.first.iterate() : statement.next.iterate(...after);
    for (const values of found as Iterable<Value[]>) {
      const row = values.map((value) => (typeof value === "string" ? storableText(value) : value));
      rows.push(row);
      bytes += bytesOf(row);
      if (!table.isSmall && (rows.length === PAGE_ROWS || bytes >= PAGE_BYTES)) break;
    }
    return rows;
  }

  async ledger(): Promise<Ledger> {
    const ledger = new Map<string, string | number>();
    const counted = this.#db.prepare<[], { what: string; n: number }>(
      `SELECT 'messages ' || account_id || ' ' || CASE WHEN discarded_at IS NULL THEN state ELSE 'discarded' END AS what, count(*) AS n
         FROM messages JOIN chats USING (chat) GROUP BY 1
       UNION ALL SELECT 'commands ' || account_id || ' ' || state, count(*) FROM commands JOIN chats USING (chat) GROUP BY 1
       UNION ALL SELECT 'message ids', count(DISTINCT message_id) FROM messages
       UNION ALL SELECT 'command ids', count(DISTINCT command_id) FROM commands
       UNION ALL SELECT 'owned command ids', count(DISTINCT command_id) FROM commands WHERE owns_id = 1`,
    );
    for (const { what, n } of counted.iterate()) ledger.set(storableText(what), n);
    const hash = newChecksum();
    const order = this.#db.prepare<[]>("SELECT chat, seq FROM messages ORDER BY chat, seq").raw();
    for (const row of order.iterate()) hashRow(hash, JSON.stringify(row));
    return ledger.set("order by chat", hash.digest("hex"));
  }

  async provenNow(): Promise<number> {
    return new ProvenTime(this.#db, this.#clock).now();
  }
}

function preparePages(db: Database.Database, table: MovedTable) {
  const names = columnsOf(table).map(([name]) => name);
  const key = names.slice(0, table.key);
  const from = table.name === "console_numbers" ? `(${NUMBERS})` : table.name;
  const select = `SELECT ${names.join(", ")} FROM ${from}`;
  const order = `ORDER BY ${key.join(", ")}`;
  return {
    first: db.prepare<Value[]>(`${select} ${order}`).raw(),
    next: db
      .prepare<Value[]>(`${select} WHERE (${key.join(", ")}) > (${key.map(() => "?").join(", ")}) ${order}`)
      .raw(),
  };
}
