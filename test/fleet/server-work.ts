import { readdirSync, readFileSync } from "node:fs";
import type { Queries } from "../../sidecar/src/store/postgres/connection.ts";
import { until } from "../until.ts";

/** Of /proc, a second. */
const TICKS = 100;

/** A commit is on disk, and no checkpoint comes in the midst of a measurement. */
export const MEASURED = ["fsync=on", "max_wal_size=8GB", "checkpoint_timeout=1h", "shared_buffers=512MB"];

/** A server that is measured: `db` may be a connection to another one of its databases. */
export interface Measured {
  db: Queries;
  /** Of its first process. */
  pid: number;
  database: string;
}

/** What a server has done by now. */
export interface Work {
  /** Transactions that write, and all of them, statements of their own included. */
  writes: number;
  transactions: number;
  walBytes: number;
  serverCpuUs: number;
}

/** What it has done so far. A connection that is open tells of its transactions late: within 10 s. */
export async function workOf(server: Measured): Promise<Work> {
  const { db, pid, database } = server;
  // Those that have ended just now are counted when they are gone.
  await until("those who leave are gone", async () => (await countLeaving(db)) === 0, 60_000);
  const [row] = await db.rows<{ writes: number; wal: string; transactions: number }>(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS writes,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal, xact_commit AS transactions
     FROM pg_stat_database WHERE datname = $1`,
    database,
  );
  if (!row) throw new Error(`there is no database ${database}`);
  return {
    writes: Number(row.writes),
    walBytes: Number(row.wal),
    transactions: Number(row.transactions),
    serverCpuUs: cpuOf(pid),
  };
}

/** What was done between two looks, of each of so many. */
export function share(before: Work, after: Work, of: number): Work {
  return {
    writes: (after.writes - before.writes) / of,
    transactions: (after.transactions - before.transactions) / of,
    walBytes: (after.walBytes - before.walBytes) / of,
    serverCpuUs: (after.serverCpuUs - before.serverCpuUs) / of,
  };
}

/** Connections to the database, but for the one that asks. */
export async function countConnections({ db, database }: Measured): Promise<number> {
  const [row] = await db.rows<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = $1`,
    database,
  );
  return row?.n ?? 0;
}

/** Those that are in the midst of their end. */
async function countLeaving(db: Queries): Promise<number> {
  const [row] = await db.rows<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND state IS NULL",
  );
  return row?.n ?? 0;
}

/** CPU time of a process, its children and those that it has buried, us. */
export function cpuOf(pid: number): number {
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(name) ?? []);
  const mine = stats.find((stat) => stat.pid === pid);
  const children = stats.filter((stat) => stat.parent === pid);
  const ticks = (mine?.own ?? 0) + (mine?.buried ?? 0) + children.reduce((sum, { own }) => sum + own, 0);
  return (ticks / TICKS) * 1e6;
}

function statOf(pid: string) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const at = (n: number) => Number(fields[n - 3]);
    return { pid: Number(pid), parent: at(4), own: at(14) + at(15), buried: at(16) + at(17) };
  } catch {
    // It has just ended.
    return undefined;
  }
}
