import { afterAll, afterEach, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { ANNA, BEN } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { expectEachOnce, openShop, underWay } from "./bridge-shop.ts";
import { type Databases, running, startDatabases } from "./databases.ts";
import { layNetwork, type PrivateNetwork, type Way } from "./private-network.ts";

// The network between a sidecar and its database loses every packet, one way or both: a real one, with the server in a namespace
// of its own. Neither end is told. The real relay and replies, in processes of their own; the second sidecar has another way.

const WAYS: readonly Way[] = ["to the server", "from the server", "both ways"];
const PATIENCE_MS = 60_000;

let network: PrivateNetwork | string;
let databases: Databases | string;
beforeAll(async () => {
  network = layNetwork();
  databases = typeof network === "string" ? network : await startDatabases(["synchronous_commit=local"], { network });
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
  if (typeof network !== "string") network[Symbol.dispose]();
});

// A test that has failed in the midst of it leaves nothing behind for the next one.
afterEach(async () => {
  if (typeof network !== "string") network.mend();
  if (typeof databases !== "string") await standBy(databases.server, "");
});

/** The server, and the network that the first sidecar reaches it by. */
function onNetwork(test: Pick<TestContext, "skip">) {
  const here = running(test, databases);
  // A network namespace needs root and iproute2: the skip says which is missing. CI has both.
  return { here, net: typeof network === "string" ? test.skip(network) : network };
}

/**
 * A commit that takes in a message waits from now on for a replica that there is not, until the returned is called. Not that of
 * others: a lease that is renewed just then would have the message wait before its commit.
 */
async function holdAccepts(here: Databases, url: string): Promise<() => Promise<void>> {
  const { server } = here;
  const connection = new Connection({ url, connections: 1 });
  await connection.rows(
    `CREATE OR REPLACE FUNCTION wait_for_replica() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN PERFORM set_config(''synchronous_commit'', ''on'', true); RETURN NULL; END';
     CREATE OR REPLACE TRIGGER waits AFTER INSERT ON messages EXECUTE FUNCTION wait_for_replica()`,
  );
  await connection.close();
  await standBy(server, "nobody");
  let isReleased = false;
  const tries = (async () => {
    // The server hears of it a little later: until then they pass.
    while (!isReleased)
      await server.transaction(async (tx) => {
        await tx.rows("SET LOCAL synchronous_commit = on");
        await tx.rows("SELECT pg_logical_emit_message(true, '', 'held')");
      });
  })();
  await sees(here, "a commit is held", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  return async () => {
    isReleased = true;
    await standBy(server, "");
    await tries;
  };
}

async function standBy(server: Databases["server"], name: string): Promise<void> {
  await server.rows(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`);
  await server.rows("SELECT pg_reload_conf()");
}

const sees = (here: Databases, what: string, query: string) =>
  until(what, async () => (await here.server.rows(query)).length > 0, PATIENCE_MS);

describe("a network that loses every packet", { timeout: 300_000 }, () => {
  it.for(WAYS)("%s, for longer than a lease: another one goes on, and the first is fenced off", async (way, test) => {
    const { here, net } = onNetwork(test);
    await using shop = await openShop(here);
    shop.gateway.history = () => ["re-a1"];
    const work = underWay(shop);
    const first = shop.sidecar("first", { its: net.address });
    await first.owns();
    await work.begins(first);
    await first.accepts("a2", ANNA);
    await shop.settles("sending", "pending");
    net.cut(way);
    const second = shop.sidecar("second");
    const late = first.hands("b2", BEN);
    await second.owns();
    await work.isAnswered();
    await shop.sends(3);
    await shop.settles("sent", "sent", "sent");
    // One of them is left alone until it has found out by itself that nobody answers.
    if (way === "both ways") expect(await late).toBe(false);
    net.mend();
    await first.lost();
    expect(await late).toBe(false);
    await second.accepts("b2", BEN);
    await shop.sends(4);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
  });

  it.for(WAYS)("%s, for a moment: all goes on where it was", async (way, test) => {
    const { here, net } = onNetwork(test);
    await using shop = await openShop(here);
    const work = underWay(shop);
    const only = shop.sidecar("only", { its: net.address });
    await only.owns();
    await work.begins(only);
    net.cut(way);
    const [a2, b2] = [only.hands("a2", ANNA), only.hands("b2", BEN)];
    await work.isAnswered();
    net.mend();
    if (!(await a2)) await only.accepts("a2", ANNA);
    if (!(await b2)) await only.accepts("b2", BEN);
    await shop.sends(4);
    await shop.settles("sent", "sent", "sent", "sent");
    expectEachOnce(shop);
    expect(shop.hotbags.violations).toEqual([]);
  });

  it("from the server, while it answers a commit: what was written is acknowledged, and is there once", async (test) => {
    const { here, net } = onNetwork(test);
    await using shop = await openShop(here);
    const only = shop.sidecar("only", { its: net.address });
    await only.owns();
    await only.accepts("b1", BEN);
    await shop.settles("sent");
    const release = await holdAccepts(here, shop.url);
    const a1 = only.hands("a1", ANNA);
    await sees(here, "its commit waits", IS_HELD);
    net.cut("from the server");
    await release();
    await sees(here, "it is written", `SELECT 1 FROM pg_stat_activity WHERE NOT EXISTS (${IS_HELD})`);
    expect(only.isAccepted("a1")).toBe(false);
    net.mend();
    expect(await a1).toBe(true);
    await shop.sends(2);
    await shop.settles("sent", "sent");
    expect([shop.acceptedOf(ANNA), shop.sentTo(ANNA)]).toEqual([["a1"], ["re-a1"]]);
  });

  it("from the server, while it answers a commit, and for longer than a lease: whoever takes over has it, and it comes once", async (test) => {
    const { here, net } = onNetwork(test);
    await using shop = await openShop(here);
    const first = shop.sidecar("first", { its: net.address });
    await first.owns();
    await first.accepts("b1", BEN);
    await shop.settles("sent");
    const release = await holdAccepts(here, shop.url);
    const a1 = first.hands("a1", ANNA);
    await sees(here, "its commit waits", IS_HELD);
    net.cut("from the server");
    await release();
    const second = shop.sidecar("second");
    await second.owns();
    await shop.sends(2);
    await shop.settles("sent", "sent");
    expect(first.isAccepted("a1")).toBe(false);
    net.mend();
    // It is written, whoever has brought it to Hot Bags.
    expect(await a1).toBe(true);
    await first.lost();
    await second.accepts("a2", ANNA);
    await shop.settles("sent", "sent", "sent");
    expect([shop.acceptedOf(ANNA), shop.sentTo(ANNA)]).toEqual([
      ["a1", "a2"],
      ["re-a1", "re-a2"],
    ]);
  });

  it("to the server, while it asks for a commit: nothing is written, and nothing acknowledged until it is", async (test) => {
    const { here, net } = onNetwork(test);
    await using shop = await openShop(here);
    const only = shop.sidecar("only", { its: net.address });
    await only.owns();
    await only.accepts("a1", ANNA);
    await shop.settles("sent");
    const lock = await shop.lockCounters();
    const a2 = only.hands("a2", ANNA);
    await lock.isWaitedFor();
    net.cut("to the server");
    // The last statement is answered, and the COMMIT that follows never comes.
    await lock.release();
    await sees(here, "the server has given up", NOTHING_OPEN);
    expect(only.isAccepted("a2")).toBe(false);
    net.mend();
    if (!(await a2)) await only.accepts("a2", ANNA);
    await shop.sends(2);
    await shop.settles("sent", "sent");
    expect([shop.acceptedOf(ANNA), shop.sentTo(ANNA)]).toEqual([
      ["a1", "a2"],
      ["re-a1", "re-a2"],
    ]);
  });
});

/** That which shows that commits are held ends with the server's first database, and has a COMMIT, too. */
const IS_HELD = `SELECT 1 FROM pg_stat_activity
  WHERE wait_event = 'SyncRep' AND query = 'COMMIT' AND datname <> current_database()`;
const NOTHING_OPEN =
  "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%')";
