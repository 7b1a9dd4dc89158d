import {
  columnsOf,
  MOVED_TABLES,
  type MovedName,
  type MovedTable,
  type Row,
  type TellerOf,
  type Value,
} from "../../moving.ts";
import type { Queries } from "../connection.ts";
import { FLEET } from "../lease.ts";
import { putAlerts } from "./alerts.ts";
import { quoted } from "./rows.ts";

const TYPES = { integer: "bigint", text: "text", bytes: "bytea", flag: "int" } as const;

/** What becomes of the rows that were given, which are `g`; `$n` is the account that the bridge's own are of. */
type Writes = (given: Given) => string;

interface Given {
  /** `FROM` of them, as `g`, with the names of their columns. */
  from: string;
  /** The values of all columns, of a table that has the same ones. */
  values: string;
  account: string;
}

function names(name: MovedName): string {
  const table = MOVED_TABLES.find((one) => one.name === name);
  return table ? Object.keys(table.columns).map(quoted).join(", ") : "";
}

/** Whose is what the embedded store does not know by account. */
export interface Whose {
  account: string;
  tellerOf: TellerOf;
}

/** Whose a row is, by its chat: NULL, which no table takes, where there is no such chat. */
const OF_CHAT = "(SELECT c.account_id FROM chats c WHERE c.chat = g.chat)";

/** Tables that are by account here, or are several. All others are as in the embedded store. */
const WRITES: Partial<Record<MovedName, Writes>> = {
  // Of messages with one id the first has it: each that came after it is a dead letter for that.
  messages: ({ from, values }) => `INSERT INTO messages (${names("messages")}, account_id, owns_id)
    SELECT ${values}, ${OF_CHAT}, NOT EXISTS (SELECT 1 FROM messages o WHERE o.message_id = g.message_id)
      AND g.seq = min(g.seq) OVER (PARTITION BY g.message_id) FROM ${from}`,
  commands: ({ from, values }) => `INSERT INTO commands (${names("commands")}, account_id)
    SELECT ${values}, ${OF_CHAT} FROM ${from}`,
  payloads: ({ from }) => `WITH given AS (SELECT * FROM ${from}),
      responses AS (INSERT INTO responses SELECT seq, response FROM given WHERE response IS NOT NULL)
    INSERT INTO payloads SELECT seq, request FROM given`,
  console_numbers: ({ from }) =>
    `SELECT setval(pg_get_serial_sequence('console_sessions', 'id'), g.last) FROM ${from} WHERE g.last > 0`,
  figures: ({ from, values, account }) => `INSERT INTO figures (account_id, ${names("figures")})
    SELECT ${account}, ${values} FROM ${from}`,
  // That of the message, as long as it is remembered.
  failures: ({ from, values, account }) => `INSERT INTO failures (account_id, ${names("failures")})
    SELECT coalesce((SELECT m.account_id FROM messages m WHERE m.message_id = g.message_id ORDER BY m.seq LIMIT 1), ${account}),
      ${values} FROM ${from}`,
  counters: countersByAccount,
};

const NOT_PASSED_OVER = {
  messages: "NOT EXISTS (SELECT 1 FROM passed_over_messages o WHERE o.seq = m.seq)",
  commands: "NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = k.id)",
};

/**
 * What is there now is each account's, by its rows; with what of it was delivered and discarded, as far as it is
 * remembered, so that each account's ledger adds up. All that nobody can tell of any more is the main account's.
 */
function countersByAccount({ from, account }: Given): string {
  const ofOthers = `account_id <> ${account}`;
  return `WITH given AS (SELECT name, value FROM ${from}),
    ledger AS (
      SELECT m.account_id, CASE WHEN discarded_at IS NULL THEN state ELSE 'discarded' END AS name, count(*) AS value
      FROM messages m WHERE outbound IS NULL AND ${ofOthers} AND ${NOT_PASSED_OVER.messages} GROUP BY 1, 2),
    others AS (
      SELECT * FROM ledger
      UNION ALL SELECT account_id, 'accepted', sum(value)::bigint FROM ledger GROUP BY 1
      UNION ALL SELECT m.account_id, 'detached', count(*) FROM messages m
        WHERE state = 'pending' AND detached AND outbound IS NULL AND ${ofOthers} AND ${NOT_PASSED_OVER.messages} GROUP BY 1
      UNION ALL SELECT k.account_id, 'commands_' || state, count(*) FROM commands k
        WHERE state IN ('pending', 'sending', 'queued_by_gateway', 'in_doubt') AND ${ofOthers} AND ${NOT_PASSED_OVER.commands} GROUP BY 1, 2
      UNION ALL SELECT account_id, CASE kind WHEN 'command' THEN 'reports_waiting' ELSE 'events_waiting' END, count(*)
        FROM reports WHERE ${ofOthers} GROUP BY 1, 2),
    known AS (SELECT o.* FROM others o JOIN given USING (name))
    INSERT INTO counters (account_id, name, value)
    SELECT account_id, name, value FROM known
    UNION ALL SELECT ${account}, g.name, g.value - coalesce((SELECT sum(k.value) FROM known k WHERE k.name = g.name), 0) FROM given g`;
}

/** Writes rows of a table. `whose.account`: whose the bridge's own are. */
export async function putRows(tx: Queries, table: MovedTable, rows: readonly Row[], whose: Whose): Promise<void> {
  if (rows.length === 0) return;
  if (table.name === "alerts" || table.name === "notices") return await putAlerts(tx, table, rows, whose);
  const columns = columnsOf(table);
  const arrays = columns.map(([, kind], n) => `$${n + 1}::${TYPES[kind]}[]`);
  const given: Given = {
    from: `unnest(${arrays.join(", ")}) AS g (${columns.map(([name]) => quoted(name)).join(", ")})`,
    values: columns.map(([name, kind]) => (kind === "flag" ? `g.${quoted(name)} = 1` : `g.${quoted(name)}`)).join(", "),
    account: `$${columns.length + 1}::text`,
  };
  const write =
    WRITES[table.name as MovedName] ??
    (({ from, values }) => `INSERT INTO ${table.name} (${columns.map(([name]) => quoted(name)).join(", ")})
      SELECT ${values} FROM ${from}`);
  const statement = write(given);
  const values: (Value[] | string)[] = columns.map((_, n) => rows.map((row) => row[n] ?? null));
  if (statement.includes(given.account)) values.push(whose.account);
  await tx.rows(statement, ...values);
}

/**
 * Whose the embedded store's alerts, figures and counts are, which are not by account there: that of most of its messages, which is
 * the only one in most stores.
 */
export async function mainAccountOf(tx: Queries): Promise<string> {
  const [row] = await tx.rows<{ account_id: string }>(
    `SELECT account_id FROM (
       SELECT account_id, count(*) AS n FROM messages GROUP BY 1
       UNION ALL SELECT account_id, 0 FROM chats UNION ALL SELECT account_id, 0 FROM connections) of
     GROUP BY account_id ORDER BY sum(n) DESC, account_id COLLATE "C" LIMIT 1`,
  );
  return row?.account_id ?? FLEET;
}
