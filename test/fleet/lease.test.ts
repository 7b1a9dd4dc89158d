import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { guard, type Lease } from "../../sidecar/src/store/postgres/lease.ts";
import { Leases } from "../../sidecar/src/store/postgres/leases.ts";
import { readOwners } from "../../sidecar/src/store/postgres/owners.ts";
import { until } from "../until.ts";
import { layCable } from "./cable.ts";
import { type Databases, running, startDatabases } from "./databases.ts";
import { startPooler } from "./pooler.ts";
import { openShop } from "./sender-shop.ts";
import { poolOf } from "./server.ts";

// An account has one owner, whatever becomes of the others: shown with processes that send, on a real PostgreSQL.

const SKEW_MS = 5 * 60_000;

let databases: Databases | string;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);

afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

describe("one owner at a time", () => {
  const guards = (connection: Connection, lease: Lease) =>
    connection.transaction(async (tx) => (await guard(tx, [lease])).accounts.has(lease.account));

  it("is said by the database's clock, and each take-over has a higher token", async (test) => {
    await using it = await connected(test);
    const { connection } = it;
    let uptimeMs = 0;
    const [first, second] = ["first", "second"].map(
      (owner) => new Leases({ connection, owner, ttlMs: 3_600_000, uptimeMs: () => uptimeMs }),
    ) as [Leases, Leases];
    const lease = await take(first, "shop");
    expect(await take(second, "shop")).toBeNull();
    expect(await take(second, "another-shop")).toMatchObject({ account: "another-shop" });
    if (!lease) throw new Error("nobody else has it");
    expect(await readOwners(connection, 3_600_000)).toMatchObject([
      { account_id: "another-shop", owner: "second", token: 1 },
      { account_id: "shop", owner: "first", token: 1, since: expect.any(Number) },
    ]);
    const isOver = () => connection.rows("UPDATE leases SET expires_at = clock_timestamp()");
    await isOver();
    // Nobody has taken it.
    expect((await first.renew([lease])).lost).toEqual([]);
    expect(await take(second, "shop")).toBeNull();
    await isOver();
    const taken = await take(second, "shop");
    expect(taken?.token).toBe(lease.token + 1);
    expect(first.isFresh(lease)).toBe(true);
    expect((await first.renew([lease])).lost).toEqual([lease]);
    expect(first.isFresh(lease)).toBe(false);
    expect(await guards(connection, lease)).toBe(false);
    if (!taken) throw new Error("it was over");
    expect(await guards(connection, taken)).toBe(true);
    expect(second.isFresh(taken)).toBe(true);
    uptimeMs = 3_600_000;
    expect(second.isFresh(taken)).toBe(false);
    await second.release([taken]);
    expect(await take(first, "shop")).toMatchObject({ token: 4 });
  });

  it("can't be taken while a change of its owner's is under way", async (test) => {
    await using it = await connected(test);
    const { connection } = it;
    const leases = new Leases({ connection, owner: "first", ttlMs: 60_000, uptimeMs: () => 0 });
    const lease = await take(leases, "shop");
    if (!lease) throw new Error("nobody else has it");
    const ends: string[] = [];
    let taken: Promise<unknown> | undefined;
    await connection.transaction(async (tx) => {
      await guard(tx, [lease]);
      taken = connection
        .rows("UPDATE leases SET token = token + 1 WHERE account_id = 'shop'")
        .then(() => ends.push("take-over"));
      await until("the take-over waits for the change", async () => {
        return (await tx.rows("SELECT 1 FROM pg_locks WHERE NOT granted")).length > 0;
      });
      ends.push("change");
    });
    await taken;
    expect(ends).toEqual(["change", "take-over"]);
  });
});

describe("an owner that is gone", { timeout: 240_000 }, () => {
  it("is killed: another one goes on, and nothing is sent twice", async (test) => {
    await using it = await openShop(test, databases);
    const first = it.sender("first");
    await first.owns();
    await it.sends(20);
    const second = it.sender("second");
    await first.kill();
    await second.owns();
    await it.sends(5);
    await second.kill();
    await it.expectOnce();
  });

  it("is stopped and comes back, with a clock that is 5 minutes wrong: it is fenced off", async (test) => {
    await using it = await openShop(test, databases);
    const first = it.sender("first", { skewMs: -SKEW_MS });
    await first.owns();
    await it.sends(20);
    const second = it.sender("second", { skewMs: SKEW_MS });
    first.signal("SIGSTOP");
    await second.owns();
    await it.sends(5);
    first.signal("SIGCONT");
    await it.sends(40);
    // The one that came back takes its turn when the other is gone.
    await second.kill();
    await first.owns(2);
    await it.sends(5);
    await first.kill();
    await it.expectOnce();
  });

  it("is stopped in the midst of a transaction: the server ends that, and what it has locked is free", async (test) => {
    await using it = await openShop(test, databases);
    const first = it.sender("first", { stopAt: "sending:before-commit" });
    await first.stops();
    const second = it.sender("second");
    await second.owns();
    await it.sends(5);
    first.signal("SIGCONT");
    await it.sends(20);
    expect(it.sentWith(1)).toEqual(["c1"]);
    await Promise.all([first.kill(), second.kill()]);
    await it.expectOnce();
  });

  it("is stopped between `sending` and the send: that command is in doubt, and it does not send it when it comes back", async (test) => {
    await using it = await openShop(test, databases);
    const first = it.sender("first", { stopAt: "sending:after-commit" });
    await first.stops();
    const second = it.sender("second");
    await second.owns();
    await it.sends(5);
    first.signal("SIGCONT");
    await it.sends(20);
    expect(it.sentWith(1)).toEqual(["c1"]);
    expect(await it.inDoubt()).toContain("c2");
    await Promise.all([first.kill(), second.kill()]);
    await it.expectOnce();
  });

  it("has lost the network: what it has sent by then arrives after the take-over, and is refused", async (test) => {
    await using it = await openShop(test, databases);
    await using cable = await layCable(it.host);
    const first = it.sender("first", { host: cable.host });
    await first.owns();
    await it.sends(20);
    const second = it.sender("second");
    cable.cut();
    await second.owns();
    await it.sends(5);
    cable.mend();
    await it.sends(40);
    await Promise.all([first.kill(), second.kill()]);
    await it.expectOnce();
  });

  it("is killed behind a transaction pooler", async (test) => {
    await using it = await openShop(test, databases);
    const pooler = await startPooler(it.host);
    // Debian's pgbouncer is not installed here: the skip says so. CI installs it.
    if (typeof pooler === "string") return test.skip(pooler);
    await using _ = pooler;
    const first = it.sender("first", { host: pooler.host });
    await first.owns();
    await it.sends(20);
    const second = it.sender("second", { host: pooler.host });
    await first.kill();
    await second.owns();
    await it.sends(5);
    await second.kill();
    await it.expectOnce();
  });
});

describe("why it is no advisory lock", () => {
  it("one of a session is the pooler's connection's: two clients have it at once", async (test) => {
    const { host } = running(test, databases);
    const pooler = await startPooler(host, 1);
    // Debian's pgbouncer is not installed here: the skip says so. CI installs it.
    if (typeof pooler === "string") return test.skip(pooler);
    await using _ = pooler;
    const clients = [0, 1].map(() => new pg.Client({ host: pooler.host, user: "postgres", database: "postgres" }));
    for (const client of clients) await client.connect();
    const got: unknown[] = [];
    for (const client of clients) got.push((await client.query("SELECT pg_try_advisory_lock(7) AS got")).rows[0].got);
    for (const client of clients) await client.end();
    expect(got).toEqual([true, true]);
  });

  it("one of a session is kept by a process that is stopped, for as long as its connection is open", async (test) => {
    const { host, server } = running(test, databases);
    await using cable = await layCable(host);
    const gone = poolOf(cable.host, 1);
    expect((await gone.query("SELECT pg_try_advisory_lock(7) AS got")).rows[0].got).toBe(true);
    cable.cut();
    // However often it is asked: nothing tells the server that nobody is there any more.
    for (let i = 0; i < 20; i++)
      expect(await server.rows("SELECT pg_try_advisory_lock(7) AS got")).toEqual([{ got: false }]);
    cable.mend();
    await gone.end();
  });
});

async function take(leases: Leases, account: string): Promise<Lease | null> {
  return (await leases.take([account])).find((lease) => lease.account === account) ?? null;
}

async function connected(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url });
  return {
    connection,
    async [Symbol.asyncDispose]() {
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}
