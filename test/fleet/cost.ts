import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { NO_LIMIT, startBoss } from "./boss.ts";
import * as queue from "./own-queue.ts";
import { startPooler } from "./pooler.ts";
import { queriesOf, startServer } from "./server.ts";
import { countConnections, cpuOf, MEASURED, share, type Work, workOf } from "./server-work.ts";

const CHILD = fileURLToPath(new URL("./cost.child.ts", import.meta.url));
export const ENGINES = {
  own: "own tables, one owner",
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
export interface Cost extends Work {
  clientCpuUs: number;
  perSecond: number;
  connections: number;
}

/** Runs so many messages in each of its processes, on a server of its own. */
export async function measure({ engine, processes, batch, pooled }: Run, messages: number): Promise<Cost> {
  const found = await startServer(MEASURED);
  if (typeof found === "string") throw new Error(found);
  await using started = found;
  const pooler = pooled ? await startPooler(started.host, pooled) : undefined;
  if (typeof pooler === "string") throw new Error(pooler);
  await using _ = pooler;
  if (engine === "pg-boss") await (await startBoss(started.pool)).stop({ graceful: false });
  const children = Array.from({ length: processes }, (_unused, n) =>
    fork(CHILD, [pooler?.host ?? started.host, engine, `shop ${n}`.replace(" ", ""), String(messages), String(batch)]),
  );
  await Promise.all(children.map((child) => heard(child)));
  await started.pool.query("CHECKPOINT");
  const server = { db: queriesOf(started.pool), pid: started.pid, database: "postgres" };
  const before = await workOf(server);
  const begun = performance.now();
  for (const child of children) child.send("go");
  const results = (await Promise.all(children.map(heard))) as { cpuUs: number; ms: number }[];
  const seconds = (performance.now() - begun) / 1_000;
  const connections = await countConnections(server);
  // Who ends tells what it has done.
  const ended = children.map((child) => once(child, "exit"));
  for (const child of children) child.send("end");
  await Promise.all(ended);
  const after = await workOf(server);
  const all = messages * processes;
  return {
    ...share(before, after, all),
    clientCpuUs: results.reduce((sum, { cpuUs }) => sum + cpuUs, 0) / all,
    perSecond: all / seconds,
    connections,
  };
}

/** What it takes the server to find what is next, ms of CPU, with so many messages waiting, ten of each chat. */
export async function search(waiting: number): Promise<{ own: number; boss: number }> {
  const server = await startServer(MEASURED);
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

async function heard(child: ChildProcess): Promise<unknown> {
  const [message] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`a process of the measurement ended with ${code}`);
    }),
  ]);
  return message;
}
