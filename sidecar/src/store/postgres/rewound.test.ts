import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { type Databases, running, startDatabases } from "../../../../test/fleet/databases.ts";
import { systemClock, systemTimers } from "../../clock.ts";
import { Connection } from "./connection.ts";
import { guard } from "./lease.ts";
import { migrations } from "./migrations/index.ts";
import { ProvenTime } from "./proven-time.ts";
import { LastSeen, RewoundError } from "./rewound.ts";
import { SchemaWatch } from "./schema.ts";

// With a sidecar, pg_dump and pg_restore: test/fleet/restored.test.ts.

const MINUTE_MS = 60_000;

let databases: Databases | string;
let stateDir: string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-rewound-"));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

async function opened(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url, connections: 1 });
  return {
    ...{ url, connection },
    read: (at = url) => ProvenTime.read(connection, systemClock, new LastSeen(stateDir, at)),
    putBack: () => connection.rows(`UPDATE proven_time SET wall_at = wall_at - ${MINUTE_MS}`),
    mark: async () => (await connection.rows<object>("SELECT proven_at, wall_at FROM proven_time"))[0],
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

describe("a database that is put back", () => {
  it("is refused by the machine that has used it later, also after a restart, until it is said to be restored", async (test) => {
    await using it = await opened(test);
    const time = await it.read();
    await time.note();
    await (await it.read()).note();
    await it.putBack();
    const before = await it.mark();
    await expect(time.note()).rejects.toThrow(RewoundError);
    await expect(it.read()).rejects.toThrow(/hotbags restored/);
    expect(await it.mark()).toEqual(before);
    await (await ProvenTime.read(it.connection, systemClock)).note();
    await time.note();
    await it.read();
  });

  it("takes no transaction of who has used it later, and is told of at the next look", async (test) => {
    await using it = await opened(test);
    const time = await it.read();
    await time.note();
    const { length: release } = migrations;
    const write = () => it.connection.transaction((tx) => guard(tx, [], release, time.seenAt));
    const watch = new SchemaWatch({
      ...{ db: it.connection, release, seenAt: () => time.seenAt, timers: systemTimers, everyMs: 10 * MINUTE_MS },
    });
    await write();
    await watch.look();
    await it.putBack();
    await expect(write()).rejects.toThrow(RewoundError);
    await expect(watch.look()).rejects.toThrow(RewoundError);
    watch.stop();
    expect(watch.isOutdated).toBe(true);
  });

  it("is not mistaken for another one, and what can't be read of a machine's past is none", async (test) => {
    await using it = await opened(test);
    await (await it.read()).note();
    await it.putBack();
    await it.read("postgres://elsewhere/bridge");
    writeFileSync(join(stateDir, "database-seen.json"), "{");
    await it.read();
  });
});

it("what was noted of a database outlives a crash of its server, whatever that is set to", async (test) => {
  await using it = await opened(test);
  const kept = await it.connection.transaction(async (tx) => {
    await tx.rows("SET LOCAL synchronous_commit = off");
    await (await ProvenTime.read(tx, systemClock)).note();
    return await tx.rows("SHOW synchronous_commit");
  });
  expect(kept).toEqual([{ synchronous_commit: "on" }]);
  const strict = await it.connection.transaction(async (tx) => {
    await tx.rows("SET LOCAL synchronous_commit = remote_apply");
    await (await ProvenTime.read(tx, systemClock)).note();
    return await tx.rows("SHOW synchronous_commit");
  });
  expect(strict).toEqual([{ synchronous_commit: "remote_apply" }]);
});
