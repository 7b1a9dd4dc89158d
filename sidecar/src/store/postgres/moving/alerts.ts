import { AlertFile } from "../../alert-file.ts";
import type { AlertRecord, NoticeRecord } from "../../alerts.ts";
import { columnsOf, type MovedTable, type Row, type TellerOf, type Value } from "../../moving.ts";
import type { Queries } from "../connection.ts";
import { FLEET } from "../lease.ts";

// The embedded store has one list of alerts. Here each is an account's, the fleet's, or the machine's, which are in a file.

/** In the place of an account, until those of the machine are in their file. No account of OpenClaw is called so. */
const MACHINE = "~machine";

type Columns = Record<string, Value>;

/**
 * All alerts, or all notices, as one list. `stateDir`: of the machine whose own are among them; null: those are in the
 * database as well.
 */
export async function readAlerts(db: Queries, table: MovedTable, stateDir: string | null): Promise<Row[]> {
  const columns = columnsOf(table).map(([name, kind]) =>
    kind === "flag" ? `"${name}"::int AS "${name}"` : `"${name}"`,
  );
  const rows = await db.rows<Columns>(
    `SELECT account_id, ${columns.join(", ")} FROM ${table.name} WHERE $1 OR account_id <> '${MACHINE}'`,
    stateDir === null,
  );
  if (stateDir !== null)
    rows.push(...(await ofMachine(stateDir, table)).map((row) => ({ account_id: MACHINE, ...row })));
  const each = table.name === "alerts" ? once(rows) : numbered(rows);
  const names = Object.keys(table.columns);
  return each.map((row) => names.map((name) => row[name] ?? null)).sort((a, b) => compare(a, b, table.key));
}

async function ofMachine(stateDir: string, { name }: MovedTable): Promise<Columns[]> {
  const file = new AlertFile(stateDir);
  if (name === "notices") return (await file.notices()).map((notice) => ({ ...notice }));
  return [...(await file.open()), ...(await file.past(Number.MAX_SAFE_INTEGER))].map((alert) => ({ ...alert }));
}

/** What two have at the same instant is one alert there: the one that lasts, or lasted last. */
function once(rows: readonly Columns[]): Columns[] {
  const isOpen = ({ ended }: Columns) => (ended === null ? 1 : 0);
  const sorted = rows.toSorted((a, b) => isOpen(a) - isOpen(b) || Number(a["since"]) - Number(b["since"]));
  return [...new Map(sorted.map((row) => [row["id"], row])).values()];
}

/** Numbers are each one's own: where there are several they are given anew, in the order in which they were told. */
function numbered(rows: readonly Columns[]): Columns[] {
  if (new Set(rows.map((row) => row["account_id"])).size <= 1) return [...rows];
  return rows
    .toSorted((a, b) => Number(a["told_at"]) - Number(b["told_at"]) || Number(a["number"]) - Number(b["number"]))
    .map((row, n) => ({ ...row, number: n + 1 }));
}

/** By their keys; texts byte by byte, as the embedded store does. */
function compare(a: Row, b: Row, key: number): number {
  for (let n = 0; n < key; n += 1) {
    const [one, other] = [a[n], b[n]];
    const order =
      typeof one === "number" && typeof other === "number"
        ? one - other
        : Buffer.compare(Buffer.from(String(one)), Buffer.from(String(other)));
    if (order !== 0) return order;
  }
  return 0;
}

/** Writes alerts, or notices, each to whom it is of. `account`: of the accounts that there are, the main one. */
export async function putAlerts(
  tx: Queries,
  table: MovedTable,
  rows: readonly Row[],
  { account, tellerOf }: { account: string; tellerOf: TellerOf },
): Promise<void> {
  const known = await tx.rows<{ account_id: string }>(
    "SELECT account_id FROM chats UNION SELECT account_id FROM connections",
  );
  const accounts = new Set(known.map(({ account_id }) => account_id));
  const whoseIs = (kind: string, subject: string) => {
    const teller = tellerOf(kind);
    if (teller === "account") return accounts.has(subject) ? subject : account;
    return teller === "fleet" ? FLEET : MACHINE;
  };
  const names = Object.keys(table.columns);
  const text = (row: Row, name: string) => String(row[names.indexOf(name)]);
  const alerts = await tx.rows<{ id: string; account_id: string }>("SELECT id, account_id FROM alerts");
  const ofAlert = new Map(alerts.map(({ id, account_id }) => [id, account_id]));
  const whose = rows.map((row) => {
    if (table.name === "alerts") return whoseIs(text(row, "kind"), text(row, "subject"));
    const { id, kind } = JSON.parse(text(row, "notice")) as { id: string; kind: string };
    return ofAlert.get(id) ?? whoseIs(kind, "");
  });
  const columns = columnsOf(table);
  const types = { integer: "bigint", text: "text", bytes: "bytea", flag: "int" };
  await tx.rows(
    `INSERT INTO ${table.name} (account_id, ${columns.map(([name]) => `"${name}"`).join(", ")})
     SELECT account_id, ${columns.map(([name, kind]) => (kind === "flag" ? `g."${name}" = 1` : `g."${name}"`)).join(", ")}
     FROM unnest($1::text[], ${columns.map(([, kind], n) => `$${n + 2}::${types[kind]}[]`).join(", ")})
       AS g (account_id, ${columns.map(([name]) => `"${name}"`).join(", ")})`,
    whose,
    ...columns.map((_, n) => rows.map((row) => row[n] ?? null)),
  );
}

/** Writes those of the machine to their file, in the place of what is there. */
export async function leaveMachineAlerts(db: Queries, stateDir: string): Promise<void> {
  const alerts = await db.rows<AlertRecord>(
    `SELECT id, kind, subject, text, details, since_at, since, away_since, told_at, told_amount, returns,
       is_reopened::int AS is_reopened, ended_at, ended FROM alerts WHERE account_id = $1`,
    MACHINE,
  );
  const notices = await db.rows<NoticeRecord>(
    "SELECT channel, number, told_at, notice FROM notices WHERE account_id = $1 ORDER BY number",
    MACHINE,
  );
  await new AlertFile(stateDir).replace(alerts, notices);
}

/** They are in their file by then. */
export async function forgetMachineAlerts(tx: Queries): Promise<void> {
  for (const table of ["alerts", "notices"]) await tx.rows(`DELETE FROM ${table} WHERE account_id = $1`, MACHINE);
}
