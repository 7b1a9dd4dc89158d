import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { Connection } from "./connection.ts";
import { openPostgresStore } from "./index.ts";

// How much a verb reads and locks, where that can be told without a clock.

const TTL_MS = 3_600_000;

let databases: Databases | string;
let stateDir: string;
beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-work-"));
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  rmSync(stateDir, { recursive: true });
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

async function open(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const leaseMs = { ttl: TTL_MS, renew: TTL_MS, ask: TTL_MS };
  const accounts = ["shop", "outlet"];
  const store = await openPostgresStore({
    url,
    owner: "first",
    accounts,
    clock: new SimulatedClock(),
    stateDir,
    leaseMs,
  });
  // What it locks stays locked, however long the others take.
  const connection = new Connection({ url, connections: 1, idleMs: TTL_MS });
  return {
    ...{ store, connection },
    async [Symbol.asyncDispose]() {
      await store.close();
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}

const COMMAND = { commandId: "c1", type: "send_text", text: "hello", payload: "hello", refusal: null };

it("what is written of a message and its reply waits for nobody who has another account's lease", async (test) => {
  await using it = await open(test);
  const { messages, commands } = it.store;
  // As an operator's repair does, at another sidecar.
  await it.connection.transaction(async (tx) => {
    await tx.rows("SELECT 1 FROM leases WHERE account_id = 'outlet' FOR NO KEY UPDATE");
    await messages.accept(messageOf("A", "+15550001001", { account_id: "shop" }));
    const { chat, seq } = (await messages.headOf(1)) ?? { chat: 0, seq: 0 };
    await messages.delivered(seq, 200, "{}", [COMMAND]);
    const { id } = (await commands.nextOf(chat)) ?? { id: 0 };
    expect(await commands.sending(id, "gateway")).not.toBeNull();
    await commands.settled(id, "sent", { reason: null, whatsappMessageId: "WA" });
  });
});

it("a send does not read all that waits, where the database has last seen that nothing does", async (test) => {
  await using it = await open(test);
  const { connection, store } = it;
  await store.messages.accept(messageOf("A", "+15550001001", { account_id: "shop" }));
  await store.messages.delivered(1, 200, "{}", [COMMAND]);
  await connection.rows("UPDATE commands SET state = 'sent'");
  await connection.rows("ANALYZE");
  // In as many chats: squared that is more than a statement may take.
  await connection.rows(
    "INSERT INTO chats (account_id, chat_id) SELECT 'shop', '+1666' || n FROM generate_series(1, 10000) AS n",
  );
  await connection.rows(
    `INSERT INTO commands (seq, account_id, chat, position, command_id, type, text, payload_sha256, state, created_at)
     SELECT 1, 'shop', chat, 0, 're:' || chat, 'send_text', 'hello', '', 'pending', 1 FROM chats WHERE chat > 1`,
  );
  const [{ id } = { id: 0 }] = await connection.rows<{ id: number }>("SELECT max(id) AS id FROM commands");
  expect(await store.commands.sending(id, "gateway")).not.toBeNull();
});
