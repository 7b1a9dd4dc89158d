import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { FencedOffError, type Lease, Leases } from "./lease.ts";
import * as queue from "./own-queue.ts";
import { type Server, startServer } from "./server.ts";
import { transaction } from "./transaction.ts";

// The bridge's rules on its own tables, with nothing of an engine but PostgreSQL's transactions.

let server: Server | string;
let lease: Lease;

beforeAll(async () => {
  server = await startServer();
}, 120_000);

afterAll(async () => {
  if (typeof server !== "string") await server[Symbol.asyncDispose]();
});

beforeEach(async (test) => {
  const { pool } = running(test);
  await pool.query("TRUNCATE leases, chats, messages, payloads, commands, counters RESTART IDENTITY CASCADE");
  const got = await new Leases({ pool, owner: "here", ttlMs: 60_000, uptimeMs: () => 0 }).acquire("shop");
  if (!got) throw new Error("nobody else has it");
  lease = got;
});

describe("the messages as their own queue", () => {
  it("a chat waits for its message that fails, and no attempt is burnt in an outage", async (test) => {
    const { pool } = running(test);
    await accept(pool, ["a", "b", "a"]);
    const [a, b] = await chats(pool);
    const head = await queue.headOf(pool, a);
    for (const counts of [true, false, false]) await fail(pool, head, { counts });
    expect(await queue.headOf(pool, a)).toMatchObject({ seq: "1", attempts: 1 });
    expect(await queue.headOf(pool, b)).toMatchObject({ seq: "2", attempts: 0 });
  });

  it("the one behind it can be asked as a witness while it waits, and it steps aside in its place", async (test) => {
    const { pool } = running(test);
    await accept(pool, ["a", "a", "a"]);
    const [a] = await chats(pool);
    await fail(pool, await queue.headOf(pool, a), { counts: true });
    const witness = await queue.behind(pool, a, "1");
    expect(witness?.seq).toBe("2");
    await deliver(pool, "2");
    expect((await queue.headOf(pool, a))?.seq).toBe("1");
    await fail(pool, await queue.headOf(pool, a), { counts: true, detach: true });
    expect((await queue.headOf(pool, a))?.seq).toBe("3");
  });

  it("a dead letter lets its chat go on", async (test) => {
    const { pool } = running(test);
    await accept(pool, ["a", "a"]);
    const [a] = await chats(pool);
    await transaction(pool, (tx) => queue.dead(tx, lease, "1"));
    expect((await queue.headOf(pool, a))?.seq).toBe("2");
  });

  it("each attempt has the same bytes, whatever they are", async (test) => {
    const { pool } = running(test);
    const body = Buffer.from('{"text":"Is it  still there? \\u0000", "n":1.0}\u0000');
    await transaction(pool, (tx) => queue.accept(tx, lease, [{ chat: "a", messageId: "m", request: body }]));
    const [a] = await chats(pool);
    for (let attempt = 0; attempt < 3; attempt++) {
      const head = await queue.headOf(pool, a);
      expect(head?.request.equals(body)).toBe(true);
      await fail(pool, head, { counts: true });
    }
  });

  it("messages of one transaction are in the order in which they were given, whatever the clock says", async (test) => {
    const { pool } = running(test);
    const given = Array.from({ length: 200 }, (_, n) => ["a", "b", "c"][n % 3] ?? "");
    await accept(pool, given);
    const { rows } = await pool.query("SELECT message_id FROM messages ORDER BY seq");
    expect(rows.map((row) => row.message_id)).toEqual(given.map((_, n) => `m${n}`));
  });

  it("a message is there once, and so are its commands: all of an answer or nothing", async (test) => {
    const { pool } = running(test);
    await accept(pool, ["a"]);
    await accept(pool, ["a"]);
    const cut = transaction(pool, async (tx) => {
      await queue.delivered(tx, lease, [{ seq: "1", commands: [{ commandId: "c", text: "Yes." }] }]);
      throw new Error("the process ended");
    });
    await expect(cut).rejects.toThrow("the process ended");
    expect((await pool.query("SELECT 1 FROM commands")).rowCount).toBe(0);
    for (let i = 0; i < 2; i++) await deliver(pool, "1");
    const { rows } = await pool.query("SELECT name, value FROM counters ORDER BY name");
    expect(rows).toEqual([
      { name: "accepted", value: "1" },
      { name: "delivered", value: "1" },
    ]);
    expect((await pool.query("SELECT 1 FROM commands")).rowCount).toBe(1);
  });

  it("nothing of it is written by who owns the account no more", async (test) => {
    const { pool } = running(test);
    await accept(pool, ["a"]);
    await pool.query("UPDATE leases SET token = token + 1");
    await expect(accept(pool, ["b"])).rejects.toThrow(FencedOffError);
    await expect(deliver(pool, "1")).rejects.toThrow(FencedOffError);
    await expect(transaction(pool, (tx) => queue.sending(tx, lease, ["1"]))).rejects.toThrow(FencedOffError);
  });
});

function running(test: Pick<TestContext, "skip">): Server {
  // No PostgreSQL here, and no mirror to have it from: the skip says which. CI has it.
  if (typeof server === "string") return test.skip(server);
  return server;
}

function accept(pool: Server["pool"], chatIds: readonly string[]): Promise<void> {
  const request = Buffer.from("{}");
  return transaction(pool, (tx) =>
    queue.accept(
      tx,
      lease,
      chatIds.map((chat, n) => ({ chat, messageId: `m${n}`, request })),
    ),
  );
}

async function chats(pool: Server["pool"]): Promise<[string, string]> {
  const { rows } = await pool.query("SELECT chat FROM chats ORDER BY chat_id");
  return [rows[0]?.chat, rows[1]?.chat];
}

function deliver(pool: Server["pool"], seq: string): Promise<void> {
  const commands = [{ commandId: `re:${seq}`, text: "Yes." }];
  return transaction(pool, (tx) => queue.delivered(tx, lease, [{ seq, commands }]));
}

function fail(
  pool: Server["pool"],
  message: queue.Waiting | undefined,
  { counts, detach = false }: { counts: boolean; detach?: boolean },
): Promise<void> {
  if (!message) throw new Error("there is none");
  return transaction(pool, (tx) => queue.failed(tx, lease, message.seq, { waitMs: 60_000, counts, detach }));
}
