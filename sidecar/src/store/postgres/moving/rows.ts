import {
  columnsOf,
  hashRow,
  type Ledger,
  type MovedName,
  type MovedTable,
  newChecksum,
  PAGE_BYTES,
  PAGE_ROWS,
  type Row,
  type Value,
} from "../../moving.ts";
import { addBeside, readTally, writeTally } from "../../tally.ts";
import type { Queries } from "../connection.ts";
import { readAlerts } from "./alerts.ts";

type Columns = Record<string, Value>;

/** So many of a long list of numbers at a time. */
const ORDER_ROWS = 20_000;

/** Where rows are read that are by account here, or in several tables: as the embedded store has them. */
const FROM: Partial<Record<MovedName, string>> = {
  payloads: "(SELECT seq, request, response FROM payloads LEFT JOIN responses USING (seq))",
  console_numbers: `(SELECT 1 AS id, last_value AS last FROM pg_sequences WHERE last_value IS NOT NULL
    AND format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('console_sessions', 'id'))`,
  counters: "(SELECT name, sum(value)::bigint AS value FROM counters GROUP BY name)",
  failures: `(SELECT DISTINCT ON (kind) kind, at, message_id, reason,
    (sum(count) OVER (PARTITION BY kind))::bigint AS count FROM failures ORDER BY kind, at DESC, account_id)`,
};

/** What makes a row large, of tables that have large ones. */
const BYTES: Partial<Record<MovedName, string>> = {
  payloads: "octet_length(request) + coalesce(octet_length(response), 0)",
  commands: "coalesce(octet_length(text), 0) + coalesce(octet_length(details), 0) + coalesce(octet_length(file), 0)",
  reports: "octet_length(body)",
};

/** The rows of a database, as they are moved and compared. */
export class MovingRows {
  readonly #db: Queries;
  readonly #stateDir: string | null;

  /** `stateDir`: see readAlerts. */
  constructor(db: Queries, stateDir: string | null) {
    this.#db = db;
    this.#stateDir = stateDir;
  }

  async count(table: MovedTable): Promise<number> {
    const [row] = await this.#db.rows<{ n: number }>(`SELECT count(*) AS n FROM ${fromOf(table)} t`);
    return row?.n ?? 0;
  }

  async page(table: MovedTable, after: Row | null): Promise<Row[]> {
    if (table.isSmall && after !== null) return [];
    if (table.name === "figures") return await this.#figures();
    if (table.name === "alerts" || table.name === "notices") return await readAlerts(this.#db, table, this.#stateDir);
    const columns = columnsOf(table);
    const rows = await this.#db.rows<Columns>(selectOf(table, after !== null), ...(after ?? []));
    return rows.map((row) => columns.map(([name]) => row[name] ?? null));
  }

  async ledger(): Promise<Ledger> {
    const ledger = new Map<string, string | number>();
    const counted = await this.#db.rows<{ what: string; n: number }>(
      `SELECT 'messages ' || account_id || ' ' || CASE WHEN discarded_at IS NULL THEN state ELSE 'discarded' END AS what, count(*) AS n
         FROM messages GROUP BY 1
       UNION ALL SELECT 'commands ' || account_id || ' ' || state, count(*) FROM commands GROUP BY 1
       UNION ALL SELECT 'message ids', count(DISTINCT message_id COLLATE "C") FROM messages
       UNION ALL SELECT 'command ids', count(DISTINCT command_id COLLATE "C") FROM commands
       UNION ALL SELECT 'owned command ids', count(DISTINCT command_id COLLATE "C") FROM commands WHERE owns_id`,
    );
    for (const { what, n } of counted) ledger.set(what, n);
    const hash = newChecksum();
    for (let [chat, seq] = [-1, -1]; ; ) {
      const rows = await this.#db.rows<{ chat: number; seq: number }>(
        `SELECT chat, seq FROM messages WHERE (chat, seq) > ($1, $2) ORDER BY chat, seq LIMIT ${ORDER_ROWS}`,
        ...[chat, seq],
      );
      for (const row of rows) hashRow(hash, JSON.stringify([row.chat, row.seq]));
      const last = rows.at(-1);
      if (!last) break;
      ({ chat, seq } = last);
    }
    return ledger.set("order by chat", hash.digest("hex"));
  }

  /** What passed in a step, of all accounts together. Of one that the clock was set back in, what is of the last. */
  async #figures(): Promise<Row[]> {
    const rows = await this.#db.rows<{ place: number; at: number; tally: string }>(
      "SELECT place, at, tally FROM figures ORDER BY place, at DESC, account_id",
    );
    const figures: [number, number, string][] = [];
    for (const { place, at, tally } of rows) {
      const last = figures.at(-1);
      if (last?.[0] !== place) figures.push([place, at, tally]);
      else if (last[1] === at) last[2] = sum(last[2], tally);
    }
    return figures;
  }
}

function sum(one: string, other: string): string {
  const [whole, more] = [readTally(one), readTally(other)];
  if (!whole || !more) return whole ? one : other;
  addBeside(whole, more);
  return writeTally(whole);
}

function fromOf({ name }: MovedTable): string {
  return FROM[name as MovedName] ?? name;
}

/** Rows behind a key, which is `$1`, and `$2` where it has two columns. */
function selectOf(table: MovedTable, isBehind: boolean): string {
  const columns = columnsOf(table);
  const key = columns.slice(0, table.key).map(([name]) => quoted(name));
  const select = columns.map(([name, kind]) => (kind === "flag" ? `t.${quoted(name)}::int` : `t.${quoted(name)}`));
  // As the embedded store compares texts: byte by byte. Of the keys of large tables one is a text, which has two values.
  const order = columns
    .slice(0, table.key)
    .map(([name, kind]) => (kind === "text" && table.isSmall ? `t.${quoted(name)} COLLATE "C"` : `t.${quoted(name)}`));
  const from = fromOf(table);
  if (table.isSmall) return `SELECT ${select.join(", ")} FROM ${from} t ORDER BY ${order.join(", ")}`;
  const behind = isBehind ? `WHERE (${key.join(", ")}) > (${key.map((_, n) => `$${n + 1}`).join(", ")})` : "";
  const bytes = BYTES[table.name as MovedName];
  const some = `SELECT ${key.join(", ")}${bytes ? `, ${bytes} AS bytes` : ""} FROM ${from} t ${behind}
    ORDER BY ${key.join(", ")} LIMIT ${PAGE_ROWS}`;
  const few = bytes
    ? `SELECT * FROM (SELECT *, sum(bytes) OVER (ORDER BY ${key.join(", ")}) - bytes AS before FROM (${some}) listed) sized
       WHERE before < ${PAGE_BYTES}`
    : some;
  return `SELECT ${select.join(", ")} FROM (${few}) k JOIN ${from} t USING (${key.join(", ")}) ORDER BY ${order.join(", ")}`;
}

export function quoted(name: string): string {
  return `"${name}"`;
}
