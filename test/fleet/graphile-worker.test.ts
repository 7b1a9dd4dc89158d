import { addJobAdhoc, type JobHelpers, Logger, runMigrations, runOnce, type TaskList } from "graphile-worker";
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { until } from "../until.ts";
import { type Server, startServer } from "./server.ts";
import { transaction } from "./transaction.ts";

// The same of graphile-worker's named queues, with a queue for each chat.

let server: Server | string;

beforeAll(async () => {
  server = await startServer();
  if (typeof server !== "string") await runMigrations({ pgPool: server.pool });
}, 120_000);

afterAll(async () => {
  if (typeof server !== "string") await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  if (typeof server === "string") return;
  await server.pool.query("TRUNCATE graphile_worker._private_jobs, graphile_worker._private_job_queues");
});

describe("what it holds", () => {
  it("messages that do not fail run in order, never two of a chat at once", async (test) => {
    const { pool } = running(test);
    for (const n of [1, 2, 3]) for (const chat of ["a", "b"]) await offer(chat, n);
    const ran: string[] = [];
    const busy = new Set<string>();
    const overlaps: string[] = [];
    await work(pool, async ({ chat, n }) => {
      if (busy.has(chat)) overlaps.push(chat);
      busy.add(chat);
      await pool.query("SELECT 1");
      ran.push(`${chat}${n}`);
      busy.delete(chat);
    });
    expect(overlaps).toEqual([]);
    for (const chat of ["a", "b"])
      expect(ran.filter((name) => name.startsWith(chat))).toEqual([1, 2, 3].map((n) => `${chat}${n}`));
    expect(await left(pool)).toEqual([]);
  });

  it("a job is made in the transaction that has all else", async (test) => {
    const { pool } = running(test);
    const failing = transaction(pool, async (tx) => {
      await tx.query("SELECT graphile_worker.add_job('post', '{}', queue_name => 'a')");
      throw new Error("the message could not be written");
    });
    await expect(failing).rejects.toThrow("could not be written");
    expect(await left(pool)).toEqual([]);
  });
});

describe("what it does not hold", () => {
  it("a chat does not wait for its message that fails: the one behind it passes", async (test) => {
    const { pool } = running(test);
    for (const n of [1, 2]) await offer("a", n);
    const passed: number[] = [];
    await work(pool, async ({ n }) => {
      if (n === 1) throw new Error("not taken");
      passed.push(n);
    });
    expect(passed).toEqual([2]);
    expect(await left(pool)).toEqual([{ n: 1, attempts: 1, isLocked: false }]);
  });

  it("its end can't be written in a transaction of ours: a job that runs can't be completed by anybody else", async (test) => {
    const { pool } = running(test);
    await offer("a", 1);
    await work(pool, async (_, { job }) => {
      const { rowCount } = await pool.query("SELECT graphile_worker.complete_jobs(ARRAY[$1::bigint])", [job.id]);
      expect(rowCount).toBe(0);
      // Deleted all the same, its queue stays locked: who ends the job no longer finds it.
      await pool.query("DELETE FROM graphile_worker._private_jobs WHERE id = $1", [job.id]);
    });
    await offer("a", 2);
    const ran: number[] = [];
    await work(pool, async ({ n }) => void ran.push(n));
    expect(ran).toEqual([]);
  });

  it("a killed worker's message is not taken over in less than 4 hours, and its chat waits as long", async (test) => {
    const { pool } = running(test);
    for (const n of [1, 2]) await offer("a", n);
    // As a process leaves it that is killed.
    const lock = "locked_by = 'killed', locked_at = now() - $1::interval";
    const killed = (ago: string) =>
      pool.query(
        `WITH head AS (SELECT min(id) AS id FROM graphile_worker._private_jobs),
           queue AS (UPDATE graphile_worker._private_job_queues SET ${lock})
         UPDATE graphile_worker._private_jobs j SET ${lock}, attempts = 1 FROM head WHERE j.id = head.id`,
        [ago],
      );
    const ran: number[] = [];
    await killed("3 hours 59 minutes");
    await work(pool, async ({ n }) => void ran.push(n));
    expect(ran).toEqual([]);
  });
});

function running(test: Pick<TestContext, "skip">): Server {
  // No PostgreSQL here, and no mirror to have it from: the skip says which. CI has it.
  if (typeof server === "string") return test.skip(server);
  return server;
}

async function offer(chat: string, n: number): Promise<void> {
  if (typeof server === "string") return;
  await addJobAdhoc({ pgPool: server.pool }, "post", { chat, n }, { queueName: chat });
}

type Work = (message: { chat: string; n: number }, helpers: JobHelpers) => Promise<void>;

/** Runs all that may run now. A run ends where a chat's next message is not free yet, so it is asked again while one did something. */
async function work(pool: Server["pool"], post: Work): Promise<void> {
  let ran = 0;
  const taskList: TaskList = {
    post(payload, helpers) {
      ran += 1;
      return post(payload as { chat: string; n: number }, helpers);
    },
  };
  for (let before = -1; before !== ran; ) {
    before = ran;
    await runOnce({ pgPool: pool, taskList, noHandleSignals: true, logger: new Logger(() => () => {}) });
    await until("what came of its jobs is written", async () => {
      const { rowCount } = await pool.query(
        "SELECT 1 FROM graphile_worker._private_jobs WHERE locked_by IS DISTINCT FROM 'killed' AND locked_at IS NOT NULL",
      );
      return rowCount === 0;
    });
  }
}

async function left(pool: Server["pool"]) {
  const { rows } = await pool.query(
    `SELECT (payload->>'n')::int AS n, attempts, locked_at IS NOT NULL AS "isLocked"
     FROM graphile_worker._private_jobs ORDER BY id`,
  );
  return rows;
}
