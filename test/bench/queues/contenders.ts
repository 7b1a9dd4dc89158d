import assert from "node:assert/strict";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Queue as RedisQueue, Worker as RedisWorker } from "bullmq";
import { Redis } from "ioredis";
import { PgBoss } from "pg-boss";
import { better, defineQueue, defineWorker } from "plainjob";
import type { InboundMessage } from "../../../shared/src/index.ts";
import { systemClock } from "../../../sidecar/src/clock.ts";
import { openStore } from "../../../sidecar/src/store/index.ts";

/** So many messages are worked on at once. */
export const WIDTH = 32;

/** Where the servers of those that need one are. */
export interface Addresses {
  /** Folder of PostgreSQL's socket, and the socket of Redis. */
  postgres: string;
  redis: string;
}

/** What is done with a message: what a POST to Hot Bags would be. */
type Work = (message: Pick<InboundMessage, "message_id">) => Promise<void>;

/** A queue of messages as a library has it. */
export interface Queue {
  /** Resolves once it is on disk. */
  add(message: InboundMessage): Promise<unknown>;
  /** Resolves once all that was done is written down. */
  close(): Promise<unknown>;
}

/** `folder`: an empty one, for what is kept in files. Each works on what is added as soon as it can. */
type Open = (work: Work, folder: string, addresses: Addresses) => Promise<Queue>;

/** The store of the sidecar, with a lane for each chat as the relay runs them: its head, until there is none. */
const openOurs: Open = async (work, folder) => {
  const store = openStore(folder, systemClock);
  const known = new Set<number>();
  const waiting: number[] = [];
  let running = 0;
  let atRest = () => {};
  const run = async (chat: number) => {
    running += 1;
    for (let head = await store.messages.headOf(chat); head; head = await store.messages.headOf(chat)) {
      await work(head);
      await store.messages.delivered(head.seq, 200, "{}", []);
    }
    known.delete(chat);
    running -= 1;
    const next = waiting.shift();
    if (next !== undefined) void run(next);
    if (running === 0) atRest();
  };
  return {
    add: async (message) => {
      const { chat } = await store.messages.accept(message);
      if (known.has(chat)) return;
      known.add(chat);
      if (running < WIDTH) void run(chat);
      else waiting.push(chat);
    },
    close: async () => {
      const rested = new Promise<void>((resolve) => {
        atRest = resolve;
      });
      if (running > 0) await rested;
      store.close();
    },
  };
};

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const openPlainjob: Open = async (work, folder) => {
  const db = new Database(join(folder, "plainjob.sqlite"));
  const queue = defineQueue({ connection: better(db), logger: QUIET });
  // Its default is NORMAL, by which a power cut takes back what was acknowledged.
  db.pragma("synchronous = FULL");
  assert.equal(db.pragma("synchronous", { simple: true }), 2);
  const workers = Array.from({ length: WIDTH }, () =>
    defineWorker("message", ({ data }) => work(JSON.parse(data)), { queue, pollIntervall: 10, logger: QUIET }),
  );
  const ended = workers.map((worker) => worker.start());
  return {
    add: async (message) => queue.add("message", message),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
      await Promise.all(ended);
      queue.close();
    },
  };
};

const openBullmq: Open = async (work, _folder, { redis }) => {
  const connection = new Redis({ path: redis, maxRetriesPerRequest: null });
  const queue = new RedisQueue<InboundMessage>("messages", { connection });
  const worker = new RedisWorker<InboundMessage>("messages", ({ data }) => work(data), {
    connection,
    concurrency: WIDTH,
  });
  await worker.waitUntilReady();
  return {
    add: (message) => queue.add("message", message),
    close: async () => {
      await worker.close();
      await queue.close();
      connection.disconnect();
    },
  };
};

/** One queue in which the jobs of one key, a chat, go one after the other. */
const openPgBoss: Open = async (work, _folder, { postgres }) => {
  const boss = new PgBoss({ host: postgres, user: "postgres", database: "postgres", max: 10, useListenNotify: true });
  boss.on("error", (error) => {
    throw error;
  });
  await boss.start();
  await boss.createQueue("messages", { policy: "key_strict_fifo", notify: true });
  // Four that fetch eight at a time: 32 at once.
  const options = {
    ...{ localConcurrency: 4, batchSize: WIDTH / 4, perJobResults: true as const },
    ...{ pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
  };
  await boss.work<InboundMessage>("messages", options, async (jobs) => {
    await Promise.all(jobs.map(({ data }) => work(data)));
    return jobs.map(({ id }) => ({ id, status: "completed" as const }));
  });
  return {
    add: (message) => boss.send("messages", message, { singletonKey: message.chat_id }),
    close: () => boss.stop({ graceful: true }),
  };
};

export const QUEUES = {
  "the sidecar's store": openOurs,
  plainjob: openPlainjob,
  BullMQ: openBullmq,
  "pg-boss": openPgBoss,
} satisfies Record<string, Open>;
export type QueueName = keyof typeof QUEUES;
