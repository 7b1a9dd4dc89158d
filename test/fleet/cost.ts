import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { NO_LIMIT, startBoss } from "./boss.ts";
import * as queue from "./own-queue.ts";
import { startPooler } from "./pooler.ts";
import { startServer } from "./server.ts";

const CHILD = fileURLToPath(new URL("./cost.child.ts", import.meta.url));
/** Of /proc, a second. */
const TICKS = 100;
/** A commit is on disk, and no checkpoint comes in the midst of a measurement. */
const SETTINGS = ["fsync=on", "max_wal_size=8GB", "checkpoint_timeout=1h", "shared_buffers=512MB"];

export const ENGINES = {
  own: "own tables, one owner",
  claims: "own tables, claimed",
  "pg-boss": "pg-boss besides",
} as const;
export type Engine = keyof typeof ENGINES;

export interface Run {
  engine: Engine;
  processes: number;
  /** Messages whose writes share a transaction. */
  batch: number;
  /** Through a transaction pooler with so many connections to the server. */
  pooled?: number;
}

/** What one message with one reply costs, but for the last two. */
export interface Cost {
  /** Transactions that write, and all of them, statements of their own included. */
  writes: number;
  transactions: number;
  walBytes: number;
  serverCpuUs: number;
  clientCpuUs: number;
  perSecond: number;
  connections: number;
}

/** Runs so many messages in each of its processes, on a server of its own. */
export async function measure({ engine, processes, batch, pooled }: Run, messages: number): Promise<Cost> {
  const server = await startServer(SETTINGS);
  if (typeof server === "string") throw new Error(server);
  await using started = server;
  const pooler = pooled ? await startPooler(started.host, pooled) : undefined;
  if (typeof pooler === "string") throw new Error(pooler);
  await using _ = pooler;
  if (engine === "pg-boss") await (await startBoss(started.pool)).stop({ graceful: false });
  const children = Array.from({ length: processes }, (_unused, n) =>
    fork(CHILD, [pooler?.host ?? started.host, engine, `shop ${n}`.replace(" ", ""), String(messages), String(batch)]),
  );
  await Promise.all(children.map((child) => heard(child)));
  await started.pool.query("CHECKPOINT");
  const before = await look(started.pool, started.pid);
  const begun = performance.now();
  for (const child of children) child.send("go");
  const results = (await Promise.all(children.map(heard))) as { cpuUs: number; ms: number }[];
  const seconds = (performance.now() - begun) / 1_000;
  const connections = await countConnections(started.pool);
  // Who ends tells what it has done.
  const ended = children.map((child) => once(child, "exit"));
  for (const child of children) child.send("end");
  await Promise.all(ended);
  const after = await look(started.pool, started.pid);
  const all = messages * processes;
  return {
    writes: (after.writes - before.writes) / all,
    transactions: (after.transactions - before.transactions) / all,
    walBytes: (after.walBytes - before.walBytes) / all,
    serverCpuUs: (after.cpuUs - before.cpuUs) / all,
    clientCpuUs: results.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / all,
    perSecond: all / seconds,
    connections,
  };
}

/** Bytes of a delivered message with one reply, with its indexes: of its text, and of all else. */
export async function bytesOf(messages: number): Promise<{ text: number; key: number }> {
  const server = await startServer(SETTINGS);
  if (typeof server === "string") throw new Error(server);
  await using started = server;
  const child = fork(CHILD, [started.host, "own", "shop", String(messages), "32"]);
  const ended = once(child, "exit");
  await heard(child);
  child.send("go");
  await heard(child);
  child.send("end");
  await ended;
  const { rows } = await started.pool.query(
    `SELECT pg_total_relation_size('payloads') AS text, pg_total_relation_size('commands') AS commands,
       pg_total_relation_size('messages') + pg_total_relation_size('chats') AS messages,
       (SELECT count(*) FROM messages) AS count`,
  );
  const [row] = rows;
  const each = (bytes: string) => Number(bytes) / Number(row.count);
  return { text: each(row.text), key: each(row.messages) + each(row.commands) };
}

/** What it takes the server to find what is next, ms of CPU, with so many messages waiting, ten of each chat. */
export async function search(waiting: number): Promise<{ own: number; boss: number }> {
  const server = await startServer(SETTINGS);
  if (typeof server === "string") throw new Error(server);
  await using started = server;
  const { pool } = started;
  const boss = await startBoss(pool);
  await boss.createQueue("messages", { policy: "key_strict_fifo", retryLimit: NO_LIMIT });
  await pool.query(
    `INSERT INTO pgboss.job (name, singleton_key, policy, retry_limit, data, created_on)
     SELECT 'messages', 'chat ' || n / 10, 'key_strict_fifo', 1000, '{}', now() - interval '1 day' + n * interval '1 ms'
     FROM generate_series(0, $1 - 1) n`,
    [waiting],
  );
  await pool.query(
    "INSERT INTO chats (account_id, chat_id) SELECT 'shop', n FROM generate_series(0, ($1 - 1) / 10) n",
    [waiting],
  );
  await pool.query("INSERT INTO messages (chat, message_id) SELECT 1 + n / 10, n FROM generate_series(0, $1 - 1) n", [
    waiting,
  ]);
  await pool.query("INSERT INTO payloads SELECT seq, '{}' FROM messages");
  await pool.query("VACUUM ANALYZE");
  const own = await cpuEach(started.pid, 2_000, (n) => queue.headOf(pool, String(1 + (n % 100))));
  const inBoss = await cpuEach(started.pid, 40, () => boss.fetch("messages", { batchSize: 10 }));
  await boss.stop({ graceful: false });
  return { own, boss: inBoss };
}

async function cpuEach(pid: number, times: number, work: (n: number) => Promise<unknown>): Promise<number> {
  await work(0);
  const before = cpuOf(pid);
  for (let n = 0; n < times; n++) await work(n);
  return (cpuOf(pid) - before) / 1_000 / times;
}

async function look(pool: pg.Pool, pid: number) {
  // Those that have ended just now are counted when they are gone.
  for (let open = -1; open !== 0; ) open = (await countConnections(pool)) && (await ended(pool));
  const { rows } = await pool.query(
    `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS writes,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal, xact_commit AS transactions
     FROM pg_stat_database WHERE datname = current_database()`,
  );
  const [row] = rows;
  return {
    writes: Number(row.writes),
    walBytes: Number(row.wal),
    transactions: Number(row.transactions),
    cpuUs: cpuOf(pid),
  };
}

/** Whether any is in the midst of its end. */
async function ended(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend' AND state IS NULL",
  );
  return rows[0].n;
}

async function countConnections(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  return rows[0].n;
}

/** Of a process, its children and those that it has buried, us. */
function cpuOf(pid: number): number {
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

async function heard(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`a process of the measurement ended with ${code}`);
    }),
  ]);
  return message;
}
