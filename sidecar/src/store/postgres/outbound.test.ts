import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { ANNA, BEN, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { until } from "../../../../test/until.ts";
import { NO_EXTRAS, readOutbound } from "../../commands/index.ts";
import type { OutboundRules } from "../outbound-rules.ts";
import { Connection } from "./connection.ts";
import { openPostgresStore, type PostgresStore } from "./index.ts";
import { FencedOffError } from "./lease.ts";

// One outbox for the accounts of several sidecars. What holds with one of them is in test/fleet/.

const TTL_MS = 3_600_000;
const PATH = "/outbox";
const RULES: OutboundRules = { mode: "any", knownMs: TTL_MS, newChatsPerDay: 1, hasAccount: () => true };

let databases: Databases | string;
let stateDir: string;
beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-outbox-"));
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  rmSync(stateDir, { recursive: true });
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

async function fleet(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url, connections: 1 });
  const sidecar = async (account: string) => {
    const leaseMs = { ttl: TTL_MS, renew: TTL_MS, ask: TTL_MS };
    const options = { url, owner: account, accounts: [account], clock: new SimulatedClock(), stateDir, leaseMs };
    const store = await openPostgresStore(options);
    await store.reports.turn(true);
    return store;
  };
  const stores = [await sidecar("shop"), await sidecar("outlet")] as const;
  return {
    url,
    connection,
    stores,
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((store) => store.close()));
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}

const text = (id: string, account: string, to = ANNA) =>
  readOutbound(
    { command_id: id, type: "send_text", text: id, to, transport_session_id: `whatsapp:${account}` },
    NO_EXTRAS,
  );

async function give(store: PostgresStore, ...commands: ReturnType<typeof text>[]) {
  const after = await store.outbound.cursorOf(PATH);
  const cursor = String(Number(after) + commands.length);
  const recorded = await store.outbound.take({ path: PATH, after, cursor, commands }, RULES);
  return recorded.map(({ outcome }) => outcome);
}

it("is read by the one that leads, for all accounts; who owns one finds what is to be sent, counted and told", async (test) => {
  await using it = await fleet(test);
  const [shop, outlet] = it.stores;
  expect([shop.leads, outlet.leads]).toEqual([true, false]);
  await expect(give(outlet, text("a", "outlet"))).rejects.toThrow(FencedOffError);
  const { seq, chat } = await outlet.messages.accept(messageOf("A", ANNA, { account_id: "outlet" }));
  await outlet.messages.delivered(seq, 200, "{}", []);
  expect(await give(shop, text("a", "outlet"), text("b", "nobody"), text("b", "outlet"), text("b", "outlet"))).toEqual([
    ...["pending", "failed", "pending", "repeated"],
  ]);
  expect(await outlet.commands.waitingChats()).toEqual([chat]);
  expect(await shop.commands.waitingChats()).toEqual([]);
  const next = await outlet.commands.nextOf(chat);
  expect(next).toMatchObject({ command_id: "a", account_id: "outlet" });
  await expect(shop.commands.sending(next?.id ?? 0, "boot")).rejects.toThrow(FencedOffError);
  expect(await outlet.commands.sending(next?.id ?? 0, "boot")).toMatchObject({ gateway_process: "boot" });
  expect(await outlet.counters()).toMatchObject({ outbound_taken: 3, commands_pending: 1, commands_sending: 1 });
  expect(await shop.counters()).toMatchObject({ outbound_taken: 1, commands_failed: 1, reports_waiting: 1 });
  // Of an account that is nobody's.
  const [lane] = await shop.reports.lanes();
  expect(await shop.reports.headOf(lane?.lane ?? -1)).toMatchObject({ account_id: "nobody", lane: 0 });
  expect(await outlet.reports.lanes()).toEqual([]);
});

it("begins so many conversations a day for each account", async (test) => {
  await using it = await fleet(test);
  const page = [text("a", "shop"), text("b", "shop", BEN), text("c", "outlet", BEN), text("d", "outlet")];
  expect(await give(it.stores[0], ...page)).toEqual(["pending", "failed", "pending", "failed"]);
});

it("waits for who is in the midst of a change of an account that is another's", async (test) => {
  await using it = await fleet(test);
  const [shop] = it.stores;
  const held = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  // As the owner of "outlet" does.
  const owner = it.connection.transaction(async (tx) => {
    await tx.rows("SELECT 1 FROM leases WHERE account_id = 'outlet' FOR SHARE");
    locked.resolve();
    await held.promise;
  });
  await locked.promise;
  const page = { path: PATH, after: "0", cursor: "1", commands: [text("a", "outlet")] };
  const taken = shop.outbound.take(page, RULES);
  const waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
  const other = new Connection({ url: it.url, connections: 1 });
  await until("it waits", async () => (await other.rows(waits)).length > 0);
  await other.close();
  held.resolve();
  await owner;
  expect(await taken).toMatchObject([{ outcome: "pending" }]);
});

it("gives what is in doubt after a restore, until it was empty once", async (test) => {
  await using it = await fleet(test);
  const [shop] = it.stores;
  expect(await give(shop, text("a", "shop"))).toEqual(["pending"]);
  await it.connection.rows("INSERT INTO restores (made_at, restored_at, lost_until) VALUES (0, 1, 1)");
  await it.connection.rows("UPDATE outbox_cursors SET is_behind = true");
  expect([await shop.outbound.isBehind(PATH), await shop.outbound.isBehind("/other")]).toEqual([true, true]);
  expect(await give(shop, text("b", "shop"))).toEqual(["in_doubt"]);
  expect(await give(shop)).toEqual([]);
  expect(await shop.outbound.isBehind(PATH)).toBe(false);
  expect(await give(shop, text("c", "shop"))).toEqual(["pending"]);
});
