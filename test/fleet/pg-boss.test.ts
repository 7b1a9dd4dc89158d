import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { PgBoss } from "pg-boss";
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { until } from "../until.ts";
import { NO_LIMIT, startBoss, within } from "./boss.ts";
import { startPooler } from "./pooler.ts";
import { poolOf, type Server, startServer } from "./server.ts";
import { transaction } from "./transaction.ts";

// What pg-boss' policy `key_strict_fifo` can hold of the bridge's rules, with the chat as key, and what it can't. Where it
// can't the test asserts what it does instead: a release that changes it fails here.

const WORKER = fileURLToPath(new URL("./boss-worker.child.ts", import.meta.url));
const QUEUE = "messages";
const DETACHED = "detached";
const FOREVER = { retryLimit: NO_LIMIT, retryDelay: 0, retryBackoff: false };

let server: Server | string;
let boss: PgBoss;

beforeAll(async () => {
  server = await startServer();
  if (typeof server === "string") return;
  boss = await startBoss(server.pool);
  await boss.createQueue(QUEUE, { policy: "key_strict_fifo", ...FOREVER });
  // One of a chat at a time.
  await boss.createQueue(DETACHED, { policy: "singleton", ...FOREVER });
}, 120_000);

afterAll(async () => {
  if (typeof server === "string") return;
  await boss.stop({ graceful: false });
  await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  if (typeof server === "string") return;
  await server.pool.query("DELETE FROM pgboss.job");
});

describe("what it holds", { timeout: 60_000 }, () => {
  it("a chat waits for its message that fails, and other chats go on", async (test) => {
    running(test);
    for (const [chat, n] of [
      ["a", 1],
      ["a", 2],
      ["b", 1],
      ["b", 2],
    ] as const)
      await offer(chat, n);
    const heads = await take(10);
    const [first, other] = ["a", "b"].map((chat) => heads.find(({ data }) => data.chat === chat));
    if (!first || !other) throw new Error("both were there");
    expect([heads.length, first.data.n, other.data.n]).toEqual([2, 1, 1]);
    await failFor(first.id, 3_600);
    await boss.complete(QUEUE, other.id);
    expect((await take(10)).map(({ data }) => data)).toEqual([{ chat: "b", n: 2 }]);
    expect(await boss.getBlockedKeys(QUEUE)).toEqual([]);
    await boss.update(QUEUE, undefined, { id: first.id, startAfter: 0 });
    expect((await take(10)).map(({ data }) => data)).toEqual([{ chat: "a", n: 1 }]);
  });

  it("a job is made, and done, in the transaction that has all else: none of it is there without the rest", async (test) => {
    const { pool } = running(test);
    const failing = transaction(pool, async (tx) => {
      await boss.insert(QUEUE, [{ singletonKey: "a", data: { n: 1 } }], { db: within(tx) });
      throw new Error("the message could not be written");
    });
    await expect(failing).rejects.toThrow("could not be written");
    expect(await take(1)).toEqual([]);
    await offer("a", 1);
    const [job] = await take(1);
    if (!job) throw new Error("it was there");
    const cut = transaction(pool, async (tx) => {
      await boss.complete(QUEUE, job, null, { db: within(tx) });
      throw new Error("its commands could not be written");
    });
    await expect(cut).rejects.toThrow("could not be written");
    expect(await boss.findJobs(QUEUE, { id: job.id })).toMatchObject([{ state: "active" }]);
  });

  it("a worker that comes back too late can't end what is another one's by now", async (test) => {
    running(test);
    await offer("a", 1);
    const [stale] = await take(1);
    if (!stale) throw new Error("it was there");
    await boss.fail(QUEUE, stale);
    const [again] = await take(1);
    expect(again?.id).toBe(stale.id);
    expect(await boss.complete(QUEUE, stale)).toMatchObject({ affected: 0 });
    expect(await boss.complete(QUEUE, again ?? stale)).toMatchObject({ affected: 1 });
  });

  it("a message that waits can be the probe: it is pulled forward by its id", async (test) => {
    running(test);
    for (const chat of ["a", "b", "c"]) await offer(chat, 1);
    for (const job of await take(3)) await failFor(job.id, 3_600);
    const [chosen] = await boss.findJobs<{ chat: string }>(QUEUE, { key: "b" });
    await boss.update(QUEUE, undefined, { id: chosen?.id ?? "", startAfter: 0 });
    expect((await take(10)).map(({ data }) => data.chat)).toEqual(["b"]);
  });

  it("a message steps aside: by a queue of its own, in one transaction", async (test) => {
    const { pool } = running(test);
    await offer("a", 1);
    await offer("a", 2);
    const [head] = await take(1);
    if (!head) throw new Error("it was there");
    await transaction(pool, async (tx) => {
      const db = within(tx);
      await boss.deleteJob(QUEUE, head, { db });
      await boss.insert(DETACHED, [{ singletonKey: "a", data: head.data }], { db });
    });
    expect((await take(1))[0]?.data).toEqual({ chat: "a", n: 2 });
    expect((await boss.fetch(DETACHED))[0]?.data).toEqual({ chat: "a", n: 1 });
  });

  it("all of it through a transaction pooler", async (test) => {
    const { host } = running(test);
    const pooler = await startPooler(host, 2);
    // Debian's pgbouncer is not installed here: the skip says so. CI installs it.
    if (typeof pooler === "string") return test.skip(pooler);
    await using _ = pooler;
    const pool = poolOf(pooler.host, 20);
    const behind = await startBoss(pool);
    const sent = Array.from({ length: 40 }, (_, n) => n);
    for (const n of sent) {
      const job = { singletonKey: `chat ${n % 4}`, data: { n } };
      await transaction(pool, (tx) => behind.insert(QUEUE, [job], { db: within(tx) }));
    }
    const got: number[] = [];
    for (;;) {
      const jobs = await behind.fetch<{ n: number }>(QUEUE, { batchSize: 10 });
      if (jobs.length === 0) break;
      await Promise.all(
        jobs.map((job) => transaction(pool, (tx) => behind.complete(QUEUE, job, null, { db: within(tx) }))),
      );
      got.push(...jobs.map(({ data }) => data.n));
    }
    await behind.stop({ graceful: false });
    await pool.end();
    expect(got.toSorted((a, b) => a - b)).toEqual(sent);
    for (const chat of [0, 1, 2, 3])
      expect(got.filter((n) => n % 4 === chat)).toEqual(sent.filter((n) => n % 4 === chat));
  });

  it("a killed worker's message is taken over, after 10 s at the least", async (test) => {
    const { host, pool } = running(test);
    await boss.updateQueue(QUEUE, { heartbeatSeconds: 10 });
    await offer("a", 1);
    const worker = fork(WORKER, [host]);
    await once(worker, "message");
    const ended = once(worker, "exit");
    worker.kill("SIGKILL");
    await ended;
    await boss.updateQueue(QUEUE, { heartbeatSeconds: 10 });
    const again = await until(
      "it is taken over",
      async () => {
        await boss.supervise(QUEUE);
        return (await take(1))[0];
      },
      40_000,
      500,
    );
    expect(again.data).toEqual({ chat: "a", n: 1 });
    const { rows } = await pool.query("SELECT retry_count FROM pgboss.job WHERE id = $1", [again.id]);
    expect(rows).toEqual([{ retry_count: 1 }]);
  });
});

describe("what it does not hold", () => {
  it("messages of one transaction have no order: they have one time, and a random id", async (test) => {
    running(test);
    const numbers = Array.from({ length: 30 }, (_, n) => n);
    await boss.insert(
      QUEUE,
      numbers.map((n) => ({ singletonKey: "a", data: { n } })),
    );
    expect(await takeAll()).not.toEqual(numbers);
    // With ids in order it has one.
    await boss.insert(
      QUEUE,
      numbers.map((n) => ({ id: inOrder(n), singletonKey: "a", data: { n } })),
    );
    expect(await takeAll()).toEqual(numbers);
  });

  it("the order of a chat is by the database's wall clock: one that is set back lets a later message pass", async (test) => {
    const { pool } = running(test);
    await offer("a", 1);
    const clock = "CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamptz LANGUAGE sql STABLE AS ";
    await pool.query(`${clock}$$ SELECT now() - interval '1 minute' $$`);
    await offer("a", 2);
    await pool.query(`${clock}$$ SELECT now() $$`);
    expect(await takeAll()).toEqual([2, 1]);
  });

  it("the message behind one that fails can't be asked as a witness while that one waits", async (test) => {
    running(test);
    for (const n of [1, 2, 3]) await offer("a", n);
    const [head] = await take(1);
    if (!head) throw new Error("it was there");
    await failFor(head.id, 3_600);
    expect(await take(10)).toEqual([]);
    expect(await boss.fetch(QUEUE, { batchSize: 10, ignoreStartAfter: true })).toMatchObject([{ id: head.id }]);
    // Taken out and put back it gives way, but for all that come: it holds its chat no more, though its wait is not over.
    await failFor(head.id, 3_600);
    await boss.cancel(QUEUE, head.id);
    const [witness] = await take(1);
    if (!witness) throw new Error("the head was out of the way");
    expect(witness.data.n).toBe(2);
    await boss.resume(QUEUE, head.id);
    await boss.complete(QUEUE, witness);
    expect((await take(10)).map(({ data }) => data.n)).toEqual([3]);
  });

  it("an outage burns attempts, unless the message is put back; and that one loses its place if it has to wait", async (test) => {
    const { pool } = running(test);
    await offer("a", 1);
    await offer("a", 2);
    for (let attempts = 0; attempts < 3; attempts++) {
      const [job] = await take(1);
      if (!job) throw new Error("it was there");
      expect(job).toMatchObject({ retryCount: attempts });
      await boss.fail(QUEUE, job);
    }
    const [job] = await take(1);
    if (!job) throw new Error("it was there");
    // What its `restore` does, which is not public.
    await pool.query("UPDATE pgboss.job SET state = 'created', started_on = NULL, heartbeat_on = NULL WHERE id = $1", [
      job.id,
    ]);
    await boss.update(QUEUE, undefined, { id: job.id, startAfter: 3_600 });
    expect((await take(1))[0]?.data).toEqual({ chat: "a", n: 2 });
  });

  it("a dead letter holds its chat for good, until it is deleted", async (test) => {
    running(test);
    await boss.insert(QUEUE, [{ singletonKey: "a", data: { chat: "a", n: 1 }, retryLimit: 0 }]);
    await offer("a", 2);
    const [head] = await take(1);
    if (!head) throw new Error("it was there");
    await boss.fail(QUEUE, head);
    expect(await take(10)).toEqual([]);
    expect(await boss.getBlockedKeys(QUEUE)).toEqual(["a"]);
    await boss.deleteJob(QUEUE, head.id);
    expect((await take(1))[0]?.data).toEqual({ chat: "a", n: 2 });
  });

  it("a body in its data does not come back byte by byte, and some can't be stored: it needs a table of ours", async (test) => {
    const { pool } = running(test);
    const body = '{"text":"Is it  still there?", "from":"+15550001","n":1.0}';
    await pool.query(
      "INSERT INTO pgboss.job (name, singleton_key, policy, data) VALUES ($1, 'a', 'key_strict_fifo', $2)",
      [...[QUEUE, body]],
    );
    const { rows } = await pool.query("SELECT data::text AS data FROM pgboss.job");
    expect(rows[0].data).not.toBe(body);
    const refused = boss.insert(QUEUE, [{ singletonKey: "b", data: { text: "\u0000" } }]);
    await expect(refused).rejects.toThrow("unsupported Unicode escape sequence");
  });
});

function running(test: Pick<TestContext, "skip">): Server {
  // No PostgreSQL here, and no mirror to have it from: the skip says which. CI has it.
  if (typeof server === "string") return test.skip(server);
  return server;
}

async function offer(chat: string, n: number): Promise<void> {
  expect(await boss.insert(QUEUE, [{ singletonKey: chat, data: { chat, n } }], { returnId: true })).toHaveLength(1);
}

/** Failed, and due after a wait of ours: its own backoff is a formula. */
async function failFor(id: string, seconds: number): Promise<void> {
  if (typeof server === "string") return;
  await transaction(server.pool, async (tx) => {
    const db = within(tx);
    await boss.fail(QUEUE, id, null, { db });
    await boss.update(QUEUE, undefined, { id, startAfter: seconds, db });
  });
}

function take(batchSize: number) {
  return boss.fetch<{ chat: string; n: number }>(QUEUE, { batchSize });
}

/** The numbers of one chat's messages, as they are given out and done. */
async function takeAll(): Promise<number[]> {
  const numbers: number[] = [];
  for (;;) {
    const [job] = await take(1);
    if (!job) return numbers;
    numbers.push(job.data.n);
    await boss.complete(QUEUE, job);
  }
}

function inOrder(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}
