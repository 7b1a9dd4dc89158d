import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { until } from "../../../../test/until.ts";
import { systemTimers } from "../../clock.ts";
import { Connection } from "./connection.ts";
import { guard } from "./lease.ts";
import { Leases } from "./leases.ts";
import { migrate } from "./migrate.ts";
import { type Migration, migrations } from "./migrations/index.ts";
import { OutdatedError, SchemaWatch } from "./schema.ts";

// Two releases on one database. With sidecars in processes of their own: test/fleet/upgrade.test.ts.

const RELEASE = migrations.length;
const ADDS = "ALTER TABLE messages ADD COLUMN made_up text NOT NULL DEFAULT ''";
const TAKES_AWAY = { sql: "ALTER TABLE messages DROP COLUMN made_up", oldest: RELEASE + 1 };
const PATIENCE_MS = 60_000;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

/** A database of this release, and connections to it. */
async function opened(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connections = [0, 1, 2].map(() => new Connection({ url, connections: 1 }));
  const [connection, other, third] = connections as [Connection, Connection, Connection];
  return {
    ...{ connection, other, third },
    upgrade: (...newer: readonly Migration[]) => migrate(connection, [...migrations, ...newer]),
    version: async () => (await other.rows<object>("SELECT version, oldest FROM schema_version"))[0],
    leases: (release: number) =>
      new Leases({ connection: other, owner: "one", ttlMs: 60_000, uptimeMs: () => 0, release }),
    /** Somebody waits for a lock. */
    waits: () =>
      until(
        "one waits for a lock",
        async () => (await third.rows("SELECT 1 FROM pg_locks WHERE NOT granted")).length > 0,
        PATIENCE_MS,
      ),
    async [Symbol.asyncDispose]() {
      await Promise.all(connections.map((one) => one.close()));
    },
  };
}

describe("a database of a newer release", () => {
  it("that only adds is as good for the one before, which changes nothing of it", async (test) => {
    await using it = await opened(test);
    expect(await it.upgrade(ADDS)).toBe(RELEASE + 1);
    expect(await migrate(it.other)).toBe(RELEASE + 1);
    expect(await it.version()).toEqual({ version: RELEASE + 1, oldest: 1 });
    expect(await it.leases(RELEASE).take(["shop"])).toHaveLength(1);
  });

  it("that takes away is refused by the one before, with what to do; by the one that leaves that alone it is not", async (test) => {
    await using it = await opened(test);
    await it.upgrade(ADDS, TAKES_AWAY);
    const refused = migrate(it.other);
    await expect(refused).rejects.toThrow(OutdatedError);
    await expect(refused).rejects.toThrow(
      new RegExp(`newer release \\(schema ${RELEASE + 2}, this one has ${RELEASE}\\).*install that one`),
    );
    expect(await migrate(it.other, [...migrations, ADDS])).toBe(RELEASE + 2);
    expect(await it.version()).toEqual({ version: RELEASE + 2, oldest: RELEASE + 1 });
  });

  it("that takes away gives the one before no account, and takes nothing that it writes", async (test) => {
    await using it = await opened(test);
    const [lease] = await it.leases(RELEASE).take(["shop"]);
    await it.upgrade(ADDS, TAKES_AWAY);
    const write = (release: number, ...leases: NonNullable<typeof lease>[]) =>
      it.connection.transaction((tx) => guard(tx, leases, release));
    for (const leases of [[], lease ? [lease] : []])
      await expect(write(RELEASE, ...leases)).rejects.toThrow(OutdatedError);
    expect((await write(RELEASE + 1, ...(lease ? [lease] : []))).accounts).toEqual(new Set(["shop"]));
    await it.connection.rows("UPDATE leases SET expires_at = '-infinity'");
    expect(await it.leases(RELEASE).take(["shop"])).toEqual([]);
    expect(await it.leases(RELEASE + 1).take(["shop"])).toHaveLength(1);
  });

  it("is told of once, at the next look", async (test) => {
    await using it = await opened(test);
    const watch = new SchemaWatch({ db: it.other, release: RELEASE, timers: systemTimers, everyMs: 20 });
    const told: string[] = [];
    watch.onOutdated((error) => told.push(error.message));
    await watch.look();
    await it.upgrade(ADDS, TAKES_AWAY);
    await until("it is told", () => watch.isOutdated, PATIENCE_MS);
    await expect(watch.look()).rejects.toThrow(OutdatedError);
    watch.onOutdated((error) => told.push(error.message));
    watch.stop();
    expect(told).toHaveLength(2);
    expect(new Set(told).size).toBe(1);
  });
});

describe("what a newer release takes away", () => {
  it("is taken when what is under way has ended; what begins meanwhile waits, and is refused", async (test) => {
    await using it = await opened(test);
    const [lease] = await it.leases(RELEASE).take(["shop"]);
    const leases = lease ? [lease] : [];
    await it.upgrade(ADDS);
    const ends = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const underWay = it.other.transaction(async (tx) => {
      await guard(tx, leases, RELEASE);
      begun.resolve();
      await ends.promise;
      await tx.rows("INSERT INTO counters VALUES ('shop', 'accepted', 1)");
    });
    await begun.promise;
    const taken = migrate(it.connection, [...migrations, ADDS, TAKES_AWAY], 30_000);
    await it.waits();
    const late = it.third.transaction((tx) => guard(tx, leases, RELEASE));
    // So that the rejection has somebody who hears it.
    const refused = expect(late).rejects.toThrow(OutdatedError);
    ends.resolve();
    await underWay;
    expect(await taken).toBe(RELEASE + 2);
    await refused;
    expect(await it.other.rows("SELECT value FROM counters")).toEqual([{ value: 1 }]);
  });
});

describe("a migration that needs a table which somebody uses", () => {
  it("lets others pass again and again, and comes through when that has ended", async (test) => {
    await using it = await opened(test);
    const [reads, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const reader = it.other.transaction(async (tx) => {
      await tx.rows("SELECT 1 FROM messages");
      reads.resolve();
      await ends.promise;
    });
    await reads.promise;
    const migrated = migrate(it.connection, [...migrations, ADDS], 50);
    await it.waits();
    // Behind the one that waits, which would keep it for as long as the reader reads.
    await it.third.transaction((tx) => tx.rows("UPDATE messages SET attempts = 0"));
    ends.resolve();
    await reader;
    expect(await migrated).toBe(RELEASE + 1);
  });

  it("gives up in the end, with what to look for, and has changed nothing", { timeout: 120_000 }, async (test) => {
    await using it = await opened(test);
    const [reads, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const patient = it.other.transaction(async (tx) => {
      await tx.rows("SET LOCAL idle_in_transaction_session_timeout = 0");
      await tx.rows("SELECT 1 FROM messages");
      reads.resolve();
      await ends.promise;
    });
    await reads.promise;
    const failed = migrate(it.connection, [...migrations, ADDS], 20);
    await expect(failed).rejects.toMatchObject({ passes: true, message: expect.stringMatching(/pg_stat_activity/) });
    ends.resolve();
    await patient;
    expect(await it.version()).toEqual({ version: RELEASE, oldest: 1 });
  });
});
