import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { until } from "../../../../test/until.ts";
import { Connection, type Queries } from "./connection.ts";
import type { TwoGatewaysError } from "./contests.ts";
import { FLEET, guard } from "./lease.ts";
import { Leases } from "./leases.ts";
import { readOwners } from "./owners.ts";
import { Ownership } from "./ownership.ts";

// Who takes, asks for, keeps and gives back which accounts: several in one process, whose timers stand still, on one
// database. With processes of their own, and ends that are sudden: test/fleet/ownership.test.ts.

const TTL_MS = 3_600_000;
const RENEW_MS = 5_000;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

async function fleet(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url });
  const owners: Ownership[] = [];
  const statements: string[] = [];
  const counted: Queries = {
    rows(statement, ...values) {
      statements.push(statement);
      return connection.rows(statement, ...values);
    },
  };
  const ownersNow = async () => {
    const rows = await readOwners(connection, TTL_MS);
    return Object.fromEntries(rows.map(({ account_id, owner }) => [account_id, owner]));
  };
  return {
    url,
    connection,
    statements,
    /** One that has asked once; `accounts`: those that it stands beside. */
    async sidecar(owner: string, ...accounts: readonly string[]) {
      const clock = new SimulatedClock();
      const leases = new Leases({ connection: counted, owner, ttlMs: TTL_MS, uptimeMs: () => clock.uptimeMs() });
      const [told, contested, failures]: [string[], TwoGatewaysError[], unknown[]] = [[], [], []];
      const ownership = new Ownership({
        ...{ leases, timers: clock, owner, accounts, renewMs: RENEW_MS, askMs: TTL_MS },
        failed: (error) => failures.push(error),
        contested: (error) => contested.push(error),
      });
      ownership.onOwned((account) => told.push(`owns ${account}`));
      ownership.onBeside((account) => told.push(`sends of ${account}`));
      ownership.onLost((account) => told.push(`lost ${account}`));
      await ownership.ask();
      owners.push(ownership);
      return { ownership, leases, clock, told, contested, failures };
    },
    owners: ownersNow,
    ownerOf: async (account: string) => (await ownersNow())[account],
    /** As if a lease's time had passed, for everything. */
    async later() {
      await connection.rows(
        `UPDATE leases SET expires_at = expires_at - $1 * interval '1 ms', since = since - $1 * interval '1 ms'`,
        TTL_MS,
      );
      await connection.rows("UPDATE wanted_accounts SET wanted_at = wanted_at - $1 * interval '1 ms'", TTL_MS);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(owners.map((owner) => owner.close()));
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}

describe("an account that no gateway's sidecar owns", () => {
  it("is taken over by one that does not stand beside it, once its lease is over, and nothing of it is sent there", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", "shop");
    const second = await it.sidecar("second", "outlet");
    expect(second.told).toEqual(["owns outlet", "sends of outlet"]);
    await it.later();
    await second.ownership.renew();
    await second.ownership.ask();
    expect(second.told.slice(2)).toEqual(["owns shop"]);
    expect(second.ownership.besideOurs).toEqual(["outlet"]);
    await first.ownership.renew();
    expect(first.told).toEqual(["owns shop", "sends of shop", "lost shop"]);
    expect([...first.failures, ...second.failures]).toEqual([]);
  });

  it("is left for as long as a lease lasts to a sidecar that has given it back, and starts anew", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", "shop");
    const second = await it.sidecar("second");
    await first.ownership.close();
    await second.ownership.ask();
    expect(second.told).toEqual([]);
    const again = await it.sidecar("first", "shop");
    expect(again.told).toEqual(["owns shop", "sends of shop"]);
    await again.ownership.close();
    await it.later();
    await second.ownership.ask();
    expect(second.told).toEqual(["owns shop"]);
  });

  it("is left to one that stands beside it and asks for it", async (test) => {
    await using it = await fleet(test);
    await it.sidecar("first", "shop");
    const back = await it.sidecar("first, anew", "shop");
    const other = await it.sidecar("other");
    await it.later();
    // The asker asks on meanwhile; it is only that it did not come first.
    await it.connection.rows("UPDATE wanted_accounts SET wanted_at = clock_timestamp()");
    await other.ownership.ask();
    expect(other.told).toEqual([]);
    await back.ownership.ask();
    expect(back.told).toEqual(["owns shop", "sends of shop"]);
  });
});

describe("an account that is asked for", () => {
  it("is given back at the next renewal by one that does not stand beside it, and its work ends before", async (test) => {
    await using it = await fleet(test);
    await it.sidecar("first", "shop");
    const other = await it.sidecar("other");
    await it.later();
    await other.ownership.ask();
    expect(other.told).toEqual(["owns shop"]);
    const [lease] = other.ownership.leases;
    const work = Promise.withResolvers<void>();
    other.ownership.onLeaving((account) => {
      other.told.push(`leaves ${account}`);
      return work.promise;
    });
    const back = await it.sidecar("first, anew", "shop");
    expect(back.told).toEqual([]);
    await other.ownership.renew();
    await other.ownership.renew();
    expect(other.told.slice(1)).toEqual(["leaves shop"]);
    await back.ownership.ask();
    expect(back.told).toEqual([]);
    work.resolve();
    await until("it is given back", async () => (await it.ownerOf("shop")) === null);
    expect(other.told.slice(1)).toEqual(["leaves shop", "lost shop"]);
    await other.ownership.ask();
    await back.ownership.ask();
    expect([other.told.length, back.told]).toEqual([3, ["owns shop", "sends of shop"]]);
    const isStillTheirs = it.connection.transaction(
      async (tx) => (await guard(tx, lease ? [lease] : [])).accounts.size,
    );
    expect(await isStillTheirs).toBe(0);
    // What was fulfilled is no wish any more.
    await back.ownership.renew();
    expect(back.contested).toEqual([]);
  });

  it("is given back from one renewal to the next, whatever is still under way", async (test) => {
    await using it = await fleet(test);
    await it.sidecar("first", "shop");
    const other = await it.sidecar("other");
    await it.later();
    await other.ownership.ask();
    other.ownership.onLeaving(() => new Promise(() => {}));
    await it.sidecar("first, anew", "shop");
    await other.ownership.renew();
    other.clock.advance(RENEW_MS - 1);
    expect(other.told).toEqual(["owns shop"]);
    other.clock.advance(1);
    await until("it is given back", async () => (await it.ownerOf("shop")) === null);
    expect(other.told).toEqual(["owns shop", "lost shop"]);
  });

  it("is kept by one that stands beside it, and each of both says once that two gateways have it", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", "shop");
    const second = await it.sidecar("second", "shop");
    // Whether the first one is still there is not known yet: it may be what a crash has left.
    await second.ownership.ask();
    expect(second.contested).toEqual([]);
    for (let n = 0; n < 3; n += 1) {
      await first.ownership.renew();
      await second.ownership.ask();
    }
    expect(await it.owners()).toEqual({ shop: "first" });
    for (const { contested, ownership } of [first, second]) {
      expect(contested.map(({ account, message }) => [account, message])).toEqual([
        ["shop", expect.stringMatching(/sidecar first, which owns it.*of second, which sends nothing.*Take it out/)],
      ]);
      expect(ownership.contested).toEqual(contested);
    }
    // The operator has taken it out of one of them.
    second.ownership.want("shop", { beside: false });
    await it.connection.rows("UPDATE wanted_accounts SET wanted_at = '-infinity'");
    await first.ownership.renew();
    expect([first.ownership.contested, second.ownership.contested]).toEqual([[], []]);
    second.ownership.want("shop", { beside: true });
    await until("it is told again", async () => {
      await first.ownership.renew();
      await second.ownership.ask();
      return first.contested.length === 2 && second.contested.length === 2;
    });
  });

  it("is asked for at once when a message of it comes in, and when a gateway has it from now on", async (test) => {
    await using it = await fleet(test);
    const one = await it.sidecar("one");
    one.ownership.came("shop");
    await until("the account is ours", () => one.told.length > 0);
    expect(one.told).toEqual(["owns shop", "sends of shop"]);
    // One that it has taken over already.
    await it.sidecar("first", "outlet");
    await it.later();
    await one.ownership.renew();
    await one.ownership.ask();
    expect(one.told.slice(2)).toEqual(["owns outlet"]);
    one.ownership.want("outlet", { beside: true });
    one.ownership.want("outlet", { beside: true });
    expect(one.told.slice(3)).toEqual(["sends of outlet"]);
    // Two that become known in the midst of asking.
    one.ownership.want("a", { beside: true });
    one.ownership.want("b", { beside: true });
    await until("both are ours", () => one.told.includes("owns a") && one.told.includes("owns b"));
  });
});

describe("a fleet", () => {
  it("may have nobody in it, and one who never owned anything", async (test) => {
    await using it = await fleet(test);
    const nobody = await it.sidecar("nobody");
    await nobody.ownership.renew();
    await nobody.ownership.ask();
    expect([nobody.told, nobody.failures, nobody.ownership.leases]).toEqual([[], [], []]);
    expect(await it.owners()).toEqual({});
  });

  it("has one that leads, whose lease is nobody's to ask for, and which no listener is told of", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", FLEET);
    const second = await it.sidecar("second", FLEET);
    await first.ownership.renew();
    await second.ownership.ask();
    expect(first.ownership.leases).toEqual([{ account: FLEET, token: 1 }]);
    expect([first.contested, second.contested, first.told]).toEqual([[], [], []]);
    await first.ownership.close();
    await second.ownership.ask();
    expect(second.ownership.leases).toEqual([{ account: FLEET, token: 3 }]);
  });

  it("refuses what is no account's name, and takes over none that somebody else has written", async (test) => {
    await using it = await fleet(test);
    const hostile = ["'; DROP TABLE leases; --", "a\nb", "\u0000", "x".repeat(65), "", "ä"];
    const one = await it.sidecar("one");
    for (const name of hostile) {
      expect(() => one.ownership.want(name, { beside: true })).toThrow(
        /is no WhatsApp account's name: it must be 1 to 64/,
      );
      one.ownership.came(name);
    }
    await expect(it.sidecar("two", "a b")).rejects.toThrow('"a b" is no WhatsApp account\'s name');
    for (const name of hostile.filter((name) => name !== "" && name !== "\u0000"))
      await it.connection.rows("INSERT INTO leases (account_id) VALUES ($1)", name);
    await one.ownership.ask();
    expect([one.told, one.failures, one.ownership.leases]).toEqual([[], [], []]);
  });

  it("renews, takes and gives back 200 accounts in one statement each", async (test) => {
    await using it = await fleet(test);
    const accounts = Array.from({ length: 200 }, (_, n) => `shop-${n}`);
    const count = async (work: () => Promise<unknown>) => {
      it.statements.length = 0;
      await work();
      return it.statements.length;
    };
    const first = await it.sidecar("first", ...accounts);
    const second = await it.sidecar("second");
    expect(first.ownership.leases).toHaveLength(200);
    expect(await count(() => first.ownership.renew())).toBe(1);
    expect(await count(() => first.ownership.ask())).toBe(1);
    await it.later();
    expect(await count(() => second.ownership.ask())).toBe(1);
    expect(second.ownership.leases).toHaveLength(200);
    // Whoever stands beside them asks for all of them.
    expect(await count(() => first.ownership.renew())).toBe(1);
    expect(first.ownership.leases).toEqual([]);
    expect(await count(() => first.ownership.ask())).toBe(2);
    expect(await count(() => second.ownership.renew())).toBeLessThanOrEqual(2);
    await until("all are given back", async () => Object.values(await it.owners()).every((owner) => owner === null));
    expect(it.statements).toHaveLength(2);
    expect(await count(() => first.ownership.ask())).toBe(1);
    expect(first.ownership.besideOurs).toHaveLength(200);
    expect(await count(() => first.ownership.close())).toBe(1);
  });

  it("takes, asks and writes at the same moment: each account has one owner, and nobody stands in another's way", async (test) => {
    await using it = await fleet(test);
    const accounts = Array.from({ length: 40 }, (_, n) => `shop-${n}`);
    const owner = await it.sidecar("owner", ...accounts);
    const others = [await it.sidecar("one"), await it.sidecar("two"), await it.sidecar("three")];
    await it.later();
    await Promise.all(others.map(({ ownership }) => ownership.ask()));
    const held = others.flatMap(({ ownership }) => ownership.leases.map(({ account }) => account));
    expect(held.toSorted()).toEqual(accounts.toSorted());
    // Whoever stands beside them asks for them meanwhile, in another order.
    for (const account of accounts.toReversed()) owner.ownership.want(account, { beside: true });
    const writes = ({ ownership }: (typeof others)[number]) =>
      it.connection.transaction((tx) => guard(tx, ownership.leases.toReversed()));
    for (let n = 0; n < 10; n += 1) {
      await Promise.all([
        owner.ownership.ask(),
        owner.ownership.renew(),
        ...others.flatMap((other) => [other.ownership.renew(), other.ownership.ask(), writes(other)]),
      ]);
    }
    await until("all are the owner's", async () => {
      await owner.ownership.ask();
      return owner.ownership.besideOurs.length === accounts.length;
    });
    expect([owner, ...others].flatMap(({ failures }) => failures)).toEqual([]);
    expect(others.flatMap(({ ownership }) => ownership.leases)).toEqual([]);
  });

  it("tells of a database that does not answer, and goes on when it does", async (test) => {
    await using it = await fleet(test);
    const one = await it.sidecar("one", "shop");
    await it.connection.rows("ALTER TABLE leases RENAME TO gone");
    await one.ownership.renew();
    await one.ownership.ask();
    expect(one.failures).toHaveLength(2);
    expect(one.told).toEqual(["owns shop", "sends of shop"]);
    await it.connection.rows("ALTER TABLE gone RENAME TO leases");
    await one.ownership.renew();
    expect(one.failures).toHaveLength(2);
  });
});

describe("what locks leases", () => {
  it("does so in the accounts' order, so that two that lock several never wait for each other", async (test) => {
    await using it = await fleet(test);
    // In the table, and in what is asked for, they are in the other order.
    const { ownership, leases } = await it.sidecar("one", "b");
    ownership.want("a", { beside: true });
    await until("both are ours", () => ownership.leases.length === 2);
    const held = ownership.leases;
    expect(held.map(({ account }) => account)).toEqual(["b", "a"]);
    const [other, looks] = [new Connection(it), new Connection(it)];
    const works = {
      guard: () => other.transaction((tx) => guard(tx, held)),
      renewal: () => leases.renew(held),
      release: () => leases.release(held),
    };
    for (const [name, work] of Object.entries(works)) {
      let done: Promise<unknown> | undefined;
      await looks.transaction(async (tx) => {
        await tx.rows("SELECT 1 FROM leases WHERE account_id = 'a' FOR NO KEY UPDATE");
        done = work();
        await until(`the ${name} waits`, async () => {
          return (await tx.rows("SELECT 1 FROM pg_locks WHERE NOT granted")).length > 0;
        });
        expect(await tx.rows("SELECT 1 FROM leases WHERE account_id = 'b' FOR NO KEY UPDATE NOWAIT")).toHaveLength(1);
      });
      await done;
    }
    await Promise.all([other.close(), looks.close()]);
  });

  it("and takes some does not wait for one that somebody is in the midst of a change of", async (test) => {
    await using it = await fleet(test);
    const first = await it.sidecar("first", "a", "b");
    const second = await it.sidecar("second");
    await it.later();
    await it.connection.transaction(async (tx) => {
      await guard(
        tx,
        first.ownership.leases.filter(({ account }) => account === "a"),
      );
      await second.ownership.ask();
      expect(second.told).toEqual(["owns b"]);
    });
    await second.ownership.ask();
    expect(second.told).toEqual(["owns b", "owns a"]);
  });
});
