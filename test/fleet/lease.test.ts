import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { until } from "../until.ts";
import { layCable } from "./cable.ts";
import { FencedOffError, guard, Leases } from "./lease.ts";
import { startPooler } from "./pooler.ts";
import type { Moment } from "./sender.ts";
import { poolOf, type Server, startServer } from "./server.ts";
import { transaction } from "./transaction.ts";

// An account has one owner, whatever becomes of the others: shown with processes that send, on a real PostgreSQL.

const CHILD = fileURLToPath(new URL("./sender.child.ts", import.meta.url));
const TTL_MS = 3_000;
const POLL_MS = 100;
const SKEW_MS = 5 * 60_000;

let server: Server | string;
let folder: string;
const senders: ChildProcess[] = [];

beforeAll(async () => {
  server = await startServer();
}, 120_000);

afterAll(async () => {
  if (typeof server !== "string") await server[Symbol.asyncDispose]();
});

beforeEach(async (test) => {
  const { pool } = running(test);
  await pool.query("TRUNCATE leases, chats, messages, payloads, commands, counters RESTART IDENTITY CASCADE");
  folder = mkdtempSync(join(tmpdir(), "hotbags-fleet-"));
  return async () => {
    // A server that ends waits for its clients: those of a test that has failed, too.
    await Promise.all(senders.splice(0).map(kill));
    rmSync(folder, { recursive: true, force: true });
  };
});

describe("one owner at a time", () => {
  it("is said by the database's clock, and each take-over has a higher token", async (test) => {
    const { pool } = running(test);
    let uptimeMs = 0;
    const [first, second] = ["first", "second"].map(
      (owner) => new Leases({ pool, owner, ttlMs: 60_000, uptimeMs: () => uptimeMs }),
    ) as [Leases, Leases];
    const lease = await first.acquire("shop");
    expect(await second.acquire("shop")).toBeNull();
    expect(await second.acquire("another shop")).toMatchObject({ account: "another shop" });
    if (!lease) throw new Error("nobody else has it");
    await pool.query("UPDATE leases SET expires_at = clock_timestamp()");
    expect(await first.renew([lease])).toEqual([]);
    expect(await second.acquire("shop")).toBeNull();
    await pool.query("UPDATE leases SET expires_at = clock_timestamp()");
    const taken = await second.acquire("shop");
    expect(Number(taken?.token)).toBe(Number(lease.token) + 1);
    expect(first.isFresh(lease)).toBe(true);
    expect(await first.renew([lease])).toEqual([lease]);
    expect(first.isFresh(lease)).toBe(false);
    await expect(transaction(pool, (tx) => guard(tx, lease))).rejects.toThrow(FencedOffError);
    if (!taken) throw new Error("it was over");
    expect(second.isFresh(taken)).toBe(true);
    uptimeMs = 60_000;
    expect(second.isFresh(taken)).toBe(false);
  });

  it("can't be taken while a change of its owner's is under way", async (test) => {
    const { pool } = running(test);
    const leasesOf = (owner: string) => new Leases({ pool, owner, ttlMs: 60_000, uptimeMs: () => 0 });
    const lease = await leasesOf("first").acquire("shop");
    if (!lease) throw new Error("nobody else has it");
    const ends: string[] = [];
    let taken: Promise<unknown> | undefined;
    await transaction(pool, async (tx) => {
      await guard(tx, lease);
      await pool.query("SELECT 1");
      await tx.query("SELECT set_config('application_name', 'the change', true)");
      taken = pool
        .query("UPDATE leases SET token = token + 1 WHERE account_id = 'shop'")
        .then(() => ends.push("take-over"));
      await until("the take-over waits for the change", async () => {
        const { rows } = await tx.query("SELECT 1 FROM pg_locks WHERE NOT granted");
        return rows.length > 0;
      });
      ends.push("change");
    });
    await taken;
    expect(ends).toEqual(["change", "take-over"]);
  });
});

describe("an owner that is gone", { timeout: 240_000 }, () => {
  it("is killed: another one goes on, and nothing is sent twice", async (test) => {
    const it = await shop(running(test));
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
    const it = await shop(running(test));
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
    const it = await shop(running(test));
    const first = it.sender("first", { stopAt: "in-transaction" });
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
    const it = await shop(running(test));
    const first = it.sender("first", { stopAt: "before-send" });
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
    const it = await shop(running(test));
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
    const it = await shop(running(test));
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
    const { host } = running(test);
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
    const { host, pool } = running(test);
    await using cable = await layCable(host);
    const gone = poolOf(cable.host, 1);
    expect((await gone.query("SELECT pg_try_advisory_lock(7) AS got")).rows[0].got).toBe(true);
    cable.cut();
    // However often it is asked: nothing tells the server that nobody is there any more.
    for (let i = 0; i < 20; i++)
      expect((await pool.query("SELECT pg_try_advisory_lock(7) AS got")).rows[0].got).toBe(false);
    cable.mend();
    await gone.end();
  });
});

function running(test: Pick<TestContext, "skip">): Server {
  // No PostgreSQL here, and no mirror to have it from: the skip says which. CI has it.
  if (typeof server === "string") return test.skip(server);
  return server;
}

/** A shop with ten thousand commands to send, and those who may send them. */
async function shop({ host, pool }: Server) {
  const gateway = join(folder, "gateway");
  await pool.query("INSERT INTO chats (account_id, chat_id) VALUES ('shop', '+15550001')");
  await pool.query("INSERT INTO messages (chat, message_id, state) VALUES (1, 'm', 'delivered')");
  await pool.query(
    `INSERT INTO commands (seq, chat, position, command_id, text)
     SELECT 1, 1, n, 'c' || n, 'Yes, in red too.' FROM generate_series(1, 10000) n`,
  );
  const sent = () => (existsSync(gateway) ? readFileSync(gateway, "utf8").trim().split("\n") : []);
  const sentWith = (token: number) =>
    sent().flatMap((line) => (line.endsWith(` ${token}`) ? (line.split(" ")[0] ?? "") : []));
  return {
    host,
    sentWith,
    sender(
      name: string,
      { stopAt = "", skewMs = 0, ...of }: { host?: string; stopAt?: Moment | ""; skewMs?: number } = {},
    ) {
      const child = fork(CHILD, [
        ...[of.host ?? host, name, gateway, String(TTL_MS), String(POLL_MS), stopAt, String(skewMs)],
      ]);
      senders.push(child);
      let times = 0;
      let stopped = false;
      child.on("message", (told) => {
        if (told === "owns") times += 1;
        if (told === "stops") stopped = true;
      });
      return {
        name,
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        kill: () => kill(child),
        stops: () => until(`${name} has stopped`, () => stopped, 60_000),
        owns: (atLeast = 1) => until(`${name} owns the account`, () => times >= atLeast, 60_000),
      };
    },
    /** So many more, by whoever owns the account. */
    async sends(count: number) {
      const before = sent().length;
      await until(`${count} more are sent`, () => sent().length >= before + count, 60_000);
    },
    async inDoubt() {
      const { rows } = await pool.query("SELECT command_id FROM commands WHERE state = 'in_doubt' ORDER BY id");
      return rows.map((row) => row.command_id);
    },
    /**
     * None was sent twice, none out of order or after a higher token had sent, and what was not sent and waits no more is
     * known to be in doubt.
     */
    async expectOnce() {
      const tokens = sent().map((line) => Number(line.split(" ")[2]));
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
      const ids = sent().map((line) => line.split(" ")[0] ?? "");
      expect(new Set(ids).size).toBe(ids.length);
      const numbers = ids.map((id) => Number(id.slice(1)));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      const { rows } = await pool.query(
        "SELECT command_id FROM commands WHERE state NOT IN ('pending', 'sending', 'in_doubt') ORDER BY id",
      );
      const settled = rows.map((row) => row.command_id);
      expect(settled.every((id) => ids.includes(id))).toBe(true);
      const { rows: open } = await pool.query("SELECT command_id FROM commands WHERE state = 'pending'");
      expect(open.filter((row) => ids.includes(row.command_id))).toEqual([]);
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
