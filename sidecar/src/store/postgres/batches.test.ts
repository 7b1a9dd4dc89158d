import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { layCable } from "../../../../test/fleet/cable.ts";
import { type Databases, running, startDatabases, through } from "../../../../test/fleet/databases.ts";
import { until } from "../../../../test/until.ts";
import { systemClock, systemTimers } from "../../clock.ts";
import { DamageRecord } from "../damage.ts";
import { StoreUnwritableError } from "../errors.ts";
import type { Outage } from "../outage.ts";
import { Availability } from "./availability.ts";
import { Batches } from "./batches.ts";
import { Connection } from "./connection.ts";
import { FencedOffError } from "./lease.ts";
import { Leases } from "./leases.ts";
import { Ownership } from "./ownership.ts";
import { probe } from "./probe.ts";
import { ProvenTime } from "./proven-time.ts";
import { refuse, type Verb } from "./verb.ts";

// On a real PostgreSQL.

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

interface Note {
  row: string;
  note: string | null;
}

/** How many each statement was given. */
let statements: number[] = [];

/** Writes notes; what is null is refused by the table, what is "no" by itself. Says which number each has. */
const NOTE: Verb<Note, number> = {
  name: "note",
  keyOf: ({ row }) => row,
  async write(writing, inputs) {
    writing.mustOwn("shop");
    statements.push(inputs.length);
    refuse(inputs, ({ note }) => (note === "no" ? new Error("not this one") : undefined));
    const rows = await writing.rows<{ id: number }>(
      `INSERT INTO notes (row, note) SELECT row, note FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS g (row, note, n)
       ORDER BY n RETURNING id`,
      inputs.map(({ row }) => row),
      inputs.map(({ note }) => note),
    );
    writing.count("shop", "accepted", inputs.length);
    return rows.map(({ id }) => id);
  },
};

async function opened(test: Pick<TestContext, "skip">, { host = "" } = {}) {
  const url = await running(test, databases).make();
  const direct = new Connection({ url });
  await direct.rows(
    "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, row text NOT NULL, note text NOT NULL)",
  );
  const connection = new Connection({ url: host === "" ? url : through(host, url) });
  const time = await ProvenTime.read(connection, systemClock);
  const told: (Outage | null)[] = [];
  const availability = new Availability({
    ...{ clock: systemClock, timers: systemTimers, backoff: { baseMs: 2, maxMs: 10 } },
    damage: new DamageRecord(systemClock),
    probe: (cause) => probe(connection, cause),
  });
  availability.onChange((outage) => told.push(outage));
  const leases = new Leases({ connection, owner: "here", ttlMs: 60_000, uptimeMs: () => systemClock.uptimeMs() });
  const ownership = new Ownership({
    ...{ leases, timers: systemTimers, owner: "here", accounts: ["shop"], renewMs: 60_000, askMs: 60_000 },
    failed: (error) => availability.check("lease", error),
  });
  await ownership.start();
  statements = [];
  let commits = 0;
  const batches = new Batches({
    ...{ connection, ownership, availability, clock: systemClock, time, wanted: () => new Set<never>() },
    onCommit: () => {
      commits += 1;
    },
  });
  return {
    batches,
    availability,
    told,
    direct,
    write: (note: string | null, row = String(note), order?: string) =>
      batches.run(NOTE, { row, note }, order === undefined ? {} : { order }),
    notes: async () =>
      (await direct.rows<{ note: string }>("SELECT note FROM notes ORDER BY id")).map((row) => row.note),
    counted: async () =>
      (await direct.rows<{ value: number }>("SELECT value FROM counters WHERE name = 'accepted'"))[0]?.value ?? 0,
    get commits() {
      return commits;
    },
    again: () => until("it can be written again", () => availability.outage === null),
    async [Symbol.asyncDispose]() {
      await batches.close();
      availability.close();
      await ownership.close();
      await connection.close();
      await direct.rows("DROP TABLE notes; DROP FUNCTION IF EXISTS wait, fail");
      await direct.close();
      running(test, databases).giveBack(url);
    },
  };
}

const outcomes = async (jobs: Promise<unknown>[]) => (await Promise.allSettled(jobs)).map(({ status }) => status);
const letters = (count: number) => Array.from({ length: count }, (_, n) => `n${n}`);

describe("what comes in one turn", () => {
  it("is written by one statement, in one transaction, in its order", async (test) => {
    await using it = await opened(test);
    const ids = await Promise.all(letters(100).map((note) => it.write(note)));
    expect(ids).toEqual(letters(100).map((_, n) => n + 1));
    expect([it.commits, statements]).toEqual([1, [100]]);
    expect(await it.notes()).toEqual(letters(100));
    expect(await it.counted()).toBe(100);
  });

  it("is several transactions where it is much, and what comes meanwhile goes along with the next", async (test) => {
    await using it = await opened(test);
    const first = letters(300).map((note) => it.write(note));
    await first[0];
    const second = letters(10).map((note) => it.write(note));
    await Promise.all([...first, ...second]);
    expect(statements).toEqual([256, 54]);
    expect(it.commits).toBe(2);
  });

  it("about one row is in its order, by statements of their own", async (test) => {
    await using it = await opened(test);
    await Promise.all([it.write("a", "one"), it.write("b", "other"), it.write("c", "one")]);
    expect(await it.notes()).toEqual(["a", "b", "c"]);
    expect([it.commits, statements]).toEqual([1, [2, 1]]);
  });
});

describe("what can't be written", () => {
  it("fails alone, for its own reason, where the verb knows which it is", async (test) => {
    await using it = await opened(test);
    const jobs = ["a", "no", "b", "no", "c"].map((note, n) => it.write(note, `r${n}`));
    expect(await outcomes(jobs)).toEqual(["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
    await expect(jobs[1]).rejects.toThrow("not this one");
    expect(await it.notes()).toEqual(["a", "b", "c"]);
    expect([await it.counted(), it.commits, it.told]).toEqual([3, 1, []]);
  });

  it("fails alone where only the database knows", async (test) => {
    await using it = await opened(test);
    const notes = [...letters(9), null, ...letters(9)];
    const ends = await outcomes(notes.map((note, n) => it.write(note, `r${n}`)));
    expect(ends.map((end, n) => (end === "rejected" ? n : -1)).filter((n) => n >= 0)).toEqual([9]);
    expect(await it.notes()).toEqual([...letters(9), ...letters(9)]);
    expect([await it.counted(), it.told]).toEqual([18, []]);
  });

  it.for(["no", null])(
    "is not overtaken in its order by what waits for the next transaction (%s)",
    async (bad, test) => {
      await using it = await opened(test);
      const jobs = [it.write(bad, "a1", "a"), ...letters(255).map((note) => it.write(note))];
      jobs.push(it.write("b1", "b1", "b"), it.write("a2", "a2", "a"), it.write("a3", "a3", "a"));
      const results = await Promise.allSettled(jobs);
      expect(results.map(({ status }) => status).filter((status) => status === "rejected")).toHaveLength(3);
      expect(await it.notes()).toEqual([...letters(255), "b1"]);
      // Who was told of it may hand it in again.
      await Promise.all([it.write("a1", "a1", "a"), it.write("a2", "a2", "a")]);
      expect((await it.notes()).slice(-2)).toEqual(["a1", "a2"]);
    },
  );

  it.for(["no", null])("is not overtaken in its order (%s)", async (bad, test) => {
    await using it = await opened(test);
    const jobs = ["a", bad, "b"].map((note, n) => it.write(note, `r${n}`, "one chat"));
    const other = it.write("c", "r3", "another chat");
    expect(await outcomes([...jobs, other])).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    await expect(jobs[2]).rejects.toThrow(/what comes before it was refused/);
    expect(await it.notes()).toEqual(["a", "c"]);
  });

  it("is what is another sidecar's", async (test) => {
    await using it = await opened(test);
    await it.write("mine");
    await it.direct.rows("UPDATE leases SET token = token + 1");
    await expect(it.write("theirs")).rejects.toThrow(FencedOffError);
    expect(await it.notes()).toEqual(["mine"]);
    expect(it.told).toEqual([]);
  });
});

describe("an outage", () => {
  const MINE = "datname = current_database() AND pid <> pg_backend_pid()";
  const endAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${MINE}`;

  it("is none where a connection was ended, and another one can be had", async (test) => {
    await using it = await opened(test);
    await it.write("a");
    await it.direct.rows(endAll);
    await it.write("b");
    expect([await it.notes(), it.told]).toEqual([["a", "b"], []]);
  });

  it("is told once, refuses what comes, and ends by itself", async (test) => {
    await using it = await opened(test);
    const name = (await it.direct.rows<{ name: string }>("SELECT current_database() AS name"))[0]?.name;
    const { server } = running(test, databases);
    // As a server that was replaced: it can be read, and not written.
    await server.rows(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await it.direct.rows(endAll);
    const jobs = ["a", "b"].map((note) => it.write(note));
    for (const job of jobs) await expect(job).rejects.toThrow(StoreUnwritableError);
    await expect(jobs[0]).rejects.toThrow(/can't be written: note: .*25006.*name the primary/);
    expect(it.availability.outage).toMatchObject({ failure: expect.stringContaining("25006"), isDamage: false });
    await expect(it.write("c")).rejects.toThrow(StoreUnwritableError);
    await server.rows(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await server.rows(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    await it.again();
    await it.write("d");
    expect(await it.notes()).toEqual(["d"]);
    expect(it.told).toMatchObject([{ failure: expect.any(String) }, null]);
  });

  it("in which a commit gets no answer leaves nobody guessing: written", async (test) => {
    const { host } = running(test, databases);
    await using cable = await layCable(host);
    await using it = await opened(test, { host: cable.host });
    await it.direct.rows(
      "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'",
    );
    await it.direct.rows(
      "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()",
    );
    const job = await it.direct.transaction(async (tx) => {
      await tx.rows("SELECT pg_advisory_xact_lock(7)");
      const written = it.write("perhaps");
      await until("the server is at work on the commit", async () => {
        await tx.rows("SELECT 1");
        return (await it.direct.rows("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")).length > 0;
      });
      cable.break();
      return { written };
    });
    // As the first and only one, though nobody was told so.
    expect(await job.written).toBe(1);
    expect(await it.notes()).toEqual(["perhaps"]);
  });

  it("in which a commit gets no answer leaves nobody guessing: not written", async (test) => {
    await using it = await opened(test);
    await it.direct.rows(
      "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
    );
    await it.direct.rows(
      `CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
       WHEN (NEW.note = 'lost') EXECUTE FUNCTION fail()`,
    );
    // It is tried once more, with the same end; the first try has used the number 1.
    await expect(it.write("lost")).rejects.toThrow(StoreUnwritableError);
    await it.again();
    await it.write("after");
    expect(await it.notes()).toEqual(["after"]);
    expect(await it.counted()).toBe(1);
  });
});

it("writes what waits when it is closed, and nothing after that", async (test) => {
  await using it = await opened(test);
  const last = it.write("last");
  await it.batches.close();
  await last;
  await expect(it.write("late")).rejects.toThrow(/closed/);
  expect(await it.notes()).toEqual(["last"]);
});
