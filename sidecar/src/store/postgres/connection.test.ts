import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { layCable } from "../../../../test/fleet/cable.ts";
import { type Databases, running, startDatabases, through, urlOf } from "../../../../test/fleet/databases.ts";
import { startPooler } from "../../../../test/fleet/pooler.ts";
import { until } from "../../../../test/until.ts";
import { openDatabase } from "../sqlite/database.ts";
import { Connection } from "./connection.ts";
import {
  DisconnectedError,
  faultCode,
  isCollision,
  isDisconnection,
  isOwnFault,
  UncertainCommitError,
  wordsOf,
} from "./faults.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";

// On a real PostgreSQL.

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

async function connected(test: Pick<TestContext, "skip">) {
  const url = await running(test, databases).make();
  const connection = new Connection({ url });
  await connection.rows("DROP TABLE IF EXISTS notes");
  await connection.rows("CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY, note text NOT NULL UNIQUE)");
  const notes = async () =>
    (await connection.rows<{ note: string }>("SELECT note FROM notes ORDER BY id")).map((row) => row.note);
  return {
    url,
    connection,
    notes,
    async [Symbol.asyncDispose]() {
      await connection.close();
      running(test, databases).giveBack(url);
    },
  };
}

const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a transaction", () => {
  it("is written as a whole, or not at all", async (test) => {
    await using it = await connected(test);
    const cut = it.connection.transaction(async (tx) => {
      await tx.rows("INSERT INTO notes (note) VALUES ($1)", "lost");
      throw new Error("the work has failed");
    });
    await expect(cut).rejects.toThrow("the work has failed");
    await it.connection.transaction((tx) => tx.rows("INSERT INTO notes (note) VALUES ($1)", "kept"));
    expect(await it.notes()).toEqual(["kept"]);
  });

  it("leaves a connection that can be used, whatever has failed in it", async (test) => {
    await using it = await connected(test);
    for (let n = 0; n < 10; n += 1) {
      const failed = await reasonOf(
        it.connection.transaction((tx) => tx.rows("INSERT INTO notes (note) VALUES (NULL)")),
      );
      expect(isOwnFault(failed)).toBe(true);
    }
    await it.connection.transaction((tx) => tx.rows("INSERT INTO notes (note) VALUES ('after')"));
    expect(await it.notes()).toEqual(["after"]);
  });

  it("takes texts as they are stored, and gives whole numbers", async (test) => {
    await using it = await connected(test);
    const [row] = await it.connection.rows(
      "SELECT $1 AS one, $2::text[] AS more, 2::bigint ^ 52 = $3 AS same, 9007199254740991 AS big",
      "a\0b",
      ["\ud800"],
      2 ** 52,
    );
    expect(row).toEqual({ one: "a\ufffdb", more: ["\ufffd"], same: true, big: 9007199254740991 });
  });

  it("waits for the disk, also where the server is set not to", async (test) => {
    await using it = await connected(test);
    const setting = () => it.connection.transaction((tx) => tx.rows("SHOW synchronous_commit"));
    for (const [set, used] of [
      ["off", "on"],
      ["on", "on"],
      ["remote_apply", "remote_apply"],
    ] as const) {
      await it.connection.rows(`ALTER ROLE postgres SET synchronous_commit = ${set}`);
      const other = new Connection({ url: it.url, connections: 1 });
      expect(await other.transaction((tx) => tx.rows("SHOW synchronous_commit"))).toEqual([
        { synchronous_commit: used },
      ]);
      await other.close();
    }
    await it.connection.rows("ALTER ROLE postgres RESET synchronous_commit");
    expect(await setting()).toEqual([{ synchronous_commit: "on" }]);
  });

  it("that stands still is ended by the server, and what it has locked is free", async (test) => {
    await using it = await connected(test);
    await it.connection.rows("INSERT INTO notes (note) VALUES ('one')");
    const waits = it.connection.transaction(async (tx) => {
      await tx.rows("UPDATE notes SET note = 'two'");
      await tx.rows("SET LOCAL idle_in_transaction_session_timeout = 50");
      // Waits for the lock, which the server frees.
      await it.connection.rows("UPDATE notes SET note = 'three'");
      await tx.rows("SELECT 1");
    });
    expect(isDisconnection(await reasonOf(waits))).toBe(true);
    expect(await it.notes()).toEqual(["three"]);
  });

  it("whose commit got no answer is uncertain", async (test) => {
    const { host } = running(test, databases);
    await using it = await connected(test);
    await using cable = await layCable(host);
    const away = new Connection({ url: through(cable.host, it.url), connections: 1 });
    const cut = away.transaction(async (tx) => {
      await tx.rows("INSERT INTO notes (note) VALUES ('perhaps')");
      cable.break();
    });
    expect(await reasonOf(cut)).toBeInstanceOf(UncertainCommitError);
    await away.close();
  });
});

describe("what goes wrong is told with what to do", () => {
  it.for([
    ["nobody listens", () => "postgres://postgres@127.0.0.1:1/x", /ECONNREFUSED.*start the server/],
    ["there is no socket", () => urlOf("/nowhere", "x"), /ENOENT.*socket is not there/],
    ["there is no such database", (host: string) => urlOf(host, "nothing"), /3D000.*make it/],
  ] as const)("%s", async ([, url, words], test) => {
    const connection = new Connection({ url: url(running(test, databases).host) });
    const reason = await reasonOf(connection.rows("SELECT 1"));
    await connection.close();
    expect(wordsOf(reason)).toMatch(words);
    expect(isOwnFault(reason)).toBe(false);
  });

  it("the server takes no writes, as a replica", async (test) => {
    await using it = await connected(test);
    await it.connection.rows("ALTER ROLE postgres SET default_transaction_read_only = on");
    const other = new Connection({ url: it.url, connections: 1 });
    const reason = await reasonOf(other.transaction((tx) => tx.rows("INSERT INTO notes (note) VALUES ('x')")));
    await other.close();
    const mended = new Connection({ url: it.url, connections: 1 });
    await mended.rows("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE");
    await mended.rows("ALTER ROLE postgres RESET default_transaction_read_only");
    await mended.close();
    expect(wordsOf(reason)).toMatch(/25006.*name the primary/);
    expect([isOwnFault(reason), isDisconnection(reason)]).toEqual([false, false]);
  });

  it("the server has no connection left", async (test) => {
    const { server } = running(test, databases);
    await using it = await connected(test);
    const name = new URL(it.url.replace(/@[^/]*/, "@x")).pathname.slice(1);
    await server.rows("CREATE ROLE guest LOGIN");
    await server.rows("GRANT ALL ON DATABASE postgres TO guest");
    await server.rows(`ALTER DATABASE ${name} CONNECTION LIMIT 0`);
    const guest = new Connection({ url: it.url.replace("postgres@", "guest@"), connections: 1 });
    const reason = await reasonOf(guest.rows("SELECT 1"));
    await guest.close();
    await server.rows(`ALTER DATABASE ${name} CONNECTION LIMIT -1`);
    expect(wordsOf(reason)).toMatch(/53300.*pooler/);
    expect(isOwnFault(reason)).toBe(false);
  });

  it("the connection is ended there, while it is used and while it is not", async (test) => {
    await using it = await connected(test);
    const end =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()";
    const cut = it.connection.transaction(async (tx) => {
      await it.connection.rows(end);
      await tx.rows("INSERT INTO notes (note) VALUES ('x')");
    });
    const reason = await reasonOf(cut);
    expect(isDisconnection(reason)).toBe(true);
    expect(await it.notes()).toEqual([]);
  });

  it("a deadlock is another transaction's doing, and a taken key is one's own", async (test) => {
    await using it = await connected(test);
    await it.connection.rows("INSERT INTO notes (note) VALUES ('a'), ('b')");
    const taken = await reasonOf(it.connection.rows("INSERT INTO notes (note) VALUES ('a')"));
    expect([isOwnFault(taken), isCollision(taken)]).toEqual([true, false]);
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const lock = (mine: string, other: string, done: () => void, before: Promise<void>) =>
      it.connection.transaction(async (tx) => {
        await tx.rows("UPDATE notes SET note = note WHERE note = $1", mine);
        done();
        await before;
        await tx.rows("UPDATE notes SET note = note WHERE note = $1", other);
      });
    const ends = await Promise.all([
      reasonOf(lock("a", "b", first.resolve, second.promise)),
      reasonOf(lock("b", "a", second.resolve, first.promise)),
    ]);
    expect(ends.map(isCollision).toSorted()).toEqual([false, true]);
  });

  it("nothing comes back", async (test) => {
    const { host } = running(test, databases);
    await using it = await connected(test);
    await using cable = await layCable(host);
    const away = new Connection({ url: through(cable.host, it.url), answerMs: 300, connections: 1 });
    // A machine that has much to do may not answer in time either.
    const answers = () => reasonOf(away.rows("SELECT 1")).then((reason) => reason === undefined);
    await until("it answers", answers, 60_000);
    cable.cut();
    expect(await reasonOf(away.rows("SELECT 1"))).toBeInstanceOf(DisconnectedError);
    cable.mend();
    await until("it answers again", answers, 60_000);
    await away.close();
  });
});

describe("behind a transaction pooler", () => {
  it("many clients share one connection, and each has its own limits and values", async (test) => {
    const { host } = running(test, databases);
    const pooler = await startPooler(host, 1);
    // Debian's pgbouncer is not installed here: the skip says so. CI installs it.
    if (typeof pooler === "string") return test.skip(pooler);
    await using _ = pooler;
    const url = through(pooler.host, await running(test, databases).make("empty"));
    const clients = Array.from({ length: 5 }, () => new Connection({ url, idleMs: 1_234 }));
    const migrated = await Promise.all(clients.map((client) => migrate(client)));
    expect(new Set(migrated)).toEqual(new Set([migrations.length]));
    const limits = await Promise.all(
      clients.map((client, n) =>
        client.transaction((tx) =>
          tx.rows("SELECT current_setting('idle_in_transaction_session_timeout') AS limit, $1::int AS n", n),
        ),
      ),
    );
    expect(limits).toEqual(clients.map((__, n) => [{ limit: "1234ms", n }]));
    // Nothing of it stays for whoever has the connection next.
    expect(await clients[0]?.rows("SHOW idle_in_transaction_session_timeout")).toEqual([
      { idle_in_transaction_session_timeout: "0" },
    ]);
    for (const client of clients) await client.close();
  });
});

describe("migrations", () => {
  const versionOf = async (connection: Connection) => (await connection.rows("SELECT version FROM schema_version"))[0];

  it("are done once, however many sidecars start at once", async (test) => {
    const url = await running(test, databases).make("empty");
    const sidecars = Array.from({ length: 4 }, () => new Connection({ url, connections: 1 }));
    // Each is one that can't be done twice.
    const steps = ["CREATE TABLE one (n int)", "ALTER TABLE one ADD COLUMN m int", "INSERT INTO one VALUES (1, 2)"];
    await Promise.all(sidecars.map((sidecar) => migrate(sidecar, steps)));
    expect(await sidecars[0]?.rows("SELECT * FROM one")).toEqual([{ n: 1, m: 2 }]);
    for (const sidecar of sidecars) await sidecar.close();
  });

  it("that fail leave nothing behind, and what was done before them stays", async (test) => {
    const url = await running(test, databases).make("empty");
    const connection = new Connection({ url });
    const half = "CREATE TABLE two (n int); INSERT INTO two VALUES (1); INSERT INTO two VALUES ('no number')";
    await expect(migrate(connection, ["CREATE TABLE one (n int)", half])).rejects.toThrow(/no number/);
    expect(await versionOf(connection)).toEqual({ version: 1 });
    expect(await connection.rows("SELECT to_regclass('two') AS two")).toEqual([{ two: null }]);
    expect(await migrate(connection, ["CREATE TABLE one (n int)", "CREATE TABLE two (n int)"])).toBe(2);
    await connection.close();
  });

  it("make the tables of the embedded store, with its columns", async (test) => {
    const dir = mkdtempSync(join(tmpdir(), "hotbags-tables-"));
    const { db, close } = openDatabase(dir);
    const embedded = db
      .prepare<[], { name: string }>(
        `SELECT t.name || '.' || c.name AS name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'`,
      )
      .all();
    close();
    rmSync(dir, { recursive: true });
    await using it = await connected(test);
    const here = await it.connection.rows<{ name: string }>(
      "SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public'",
    );
    const [left, right] = [embedded, here].map((rows) => new Set(rows.map(({ name }) => name)));
    // The response has a table of its own here.
    expect([...(left ?? [])].filter((name) => !right?.has(name)).sort()).toEqual(["payloads.response", "probe.id"]);
    const more = [...(right ?? [])].filter(
      (name) =>
        !left?.has(name) &&
        !/^(commits|kept_files|kept_pieces|leases|move_progress|moves|notes|schema_version|sightings|wanted_accounts)\./.test(
          name,
        ),
    );
    const byAccount = ["alerts", "commands", "counters", "failures", "figures", "messages", "notices"];
    expect(more.sort()).toEqual(
      [
        ...byAccount.map((name) => `${name}.account_id`),
        "messages.owns_id",
        "responses.response",
        "responses.seq",
      ].sort(),
    );
  });

  it.for([
    ["a state that there is not", "UPDATE messages SET state = 'lost'", "23514"],
    ["another state of a command", "UPDATE commands SET state = 'lost'", "23514"],
    ["a message of no chat", "UPDATE messages SET chat = 99", "23503"],
    ["a chat without its messages", "DELETE FROM chats", "23503"],
    ["two owners of a command's id", "UPDATE commands SET command_id = 'c'", "23505"],
    ["two owners of a message's id", "UPDATE messages SET message_id = 'm'", "23505"],
    ["a second mark of the time", "INSERT INTO proven_time VALUES (2, 0, 0)", "23514"],
  ])("make tables that refuse %s", async ([, statement = "", code], test) => {
    await using it = await connected(test);
    await it.connection.rows(
      `INSERT INTO chats (account_id, chat_id) VALUES ('shop', 'a');
       INSERT INTO messages (account_id, chat, message_id, state, received_at) SELECT 'shop', 1, n, 'pending', 0 FROM generate_series(1, 2) n;
       INSERT INTO commands (account_id, seq, chat, position, command_id, payload_sha256, state, created_at)
       SELECT 'shop', 1, 1, n, n, '', 'pending', 0 FROM generate_series(1, 2) n`,
    );
    expect(faultCode(await reasonOf(it.connection.rows(statement)))).toBe(code);
    // What belongs to a message goes with it.
    await it.connection.rows("DELETE FROM messages");
    expect(await it.connection.rows("SELECT count(*) AS left FROM commands")).toEqual([{ left: 0 }]);
  });

  it("refuse a database that can't have every text", async (test) => {
    const { server, host } = running(test, databases);
    await server.rows("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    const connection = new Connection({ url: urlOf(host, "latin") });
    await expect(migrate(connection)).rejects.toThrow(/LATIN1.*ENCODING 'UTF8'/);
    await connection.close();
  });
});
