import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext, vi } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { type CommandFromResponse, openStore, type Store } from "../../sidecar/src/store/index.ts";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { openPostgresStore, type PostgresStore } from "../../sidecar/src/store/postgres/index.ts";
import { Failpoint } from "../crash/failpoint.ts";
import { CLI, runHotbagsWith } from "../shop/hotbags-command.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// `hotbags migrate`, as an operator runs it: killed, run again, refused, undone; and what a sidecar finds afterwards.

vi.setConfig({ testTimeout: 180_000 });

/** As long as no test takes: what is owned stays so until it is given back. */
const HOUR_MS = 3_600_000;

/** More than one page. */
const MANY = 1_200;

let databases: Databases | string;
let stateDir: string;
let failpoint: Failpoint;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-migrate-"));
  failpoint = new Failpoint();
});
afterEach(() => {
  failpoint.remove();
  rmSync(stateDir, { recursive: true });
});

const command = (id: string): CommandFromResponse => ({
  ...{ commandId: id, type: "send_text", text: id, payload: id, refusal: null },
});

async function inSqlite<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const store = openStore(stateDir, systemClock);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function openThere(
  url: string,
  accounts: readonly string[] = ["default", "outlet"],
  dir = stateDir,
): Promise<PostgresStore> {
  return openPostgresStore({
    ...{ url, owner: "there", accounts, clock: systemClock, stateDir: dir },
    leaseMs: { ttl: HOUR_MS, renew: HOUR_MS, ask: HOUR_MS },
  });
}

async function inPostgres<T>(url: string, work: (store: PostgresStore) => Promise<T>): Promise<T> {
  const store = await openThere(url);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** A sidecar's days: what waits, what is answered, what is in doubt or dead, in two accounts. */
async function leaveAStore(): Promise<void> {
  await inSqlite(async ({ messages, commands, operator }) => {
    const accept = (id: string, chat = ANNA, account_id = "default") =>
      messages.accept(messageOf(id, chat, { account_id }));
    const answered = await accept("answered");
    const sent = await messages.delivered(answered.seq, 200, "{}", [command("sent"), command("sending")]);
    await commands.sending(sent[0]?.id ?? 0, "gateway");
    await commands.settled(sent[0]?.id ?? 0, "sent", { reason: null, whatsappMessageId: "WA" });
    await commands.sending(sent[1]?.id ?? 0, "gateway");
    const dead = await accept("dead", BEN, "outlet");
    await messages.dead(dead.seq, 400, "refused");
    const replied = await accept("replied", BEN);
    await messages.delivered(replied.seq, 200, "{}", [command("waiting 1"), command("waiting 2")]);
    await accept("first", BEN, "outlet");
    await accept("second", BEN, "outlet");
    expect((await operator.messagesWithId("dead")).length).toBe(1);
  });
}

async function leaveMany(): Promise<void> {
  await inSqlite(async ({ messages }) => {
    for (let n = 0; n < MANY; n += 100)
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          messages.accept(messageOf(`many-${n + i}`, `+1555000${2_000 + (i % 7)}`)),
        ),
      );
  });
}

const withUrl = (url: string) => ({ BRIDGE_STATE_DIR: stateDir, BRIDGE_STORE: url });
const migrate = (url: string, ...args: string[]) => runHotbagsWith(withUrl(url), "migrate", ...args);

/** Runs it until it is killed at the armed point. */
async function killed(url: string, way: "--to" | "--back"): Promise<void> {
  const env = { ...process.env, ...failpoint.env, ...withUrl(url) };
  const child = spawn(process.execPath, [`--import=${failpoint.module}`, CLI, "migrate", way], {
    env,
    stdio: "ignore",
  });
  expect((await once(child, "close"))[1]).toBe("SIGKILL");
}

async function askedIn<R extends object>(url: string, statement: string): Promise<R[]> {
  const connection = new Connection({ url, connections: 1 });
  try {
    return await connection.rows<R>(statement);
  } finally {
    await connection.close();
  }
}

const makeHere = (test: Pick<TestContext, "skip">) => running(test, databases).make();

describe("a store that was moved", () => {
  it("goes on in PostgreSQL: in order, nothing twice, and what was dead can be retried", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    const ran = await migrate(url, "--to");
    expect(ran).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/5 messages and 4 replies.*set BRIDGE_STORE/s),
    });
    await inPostgres(url, async ({ messages, commands, operator, counters }) => {
      expect(await counters()).toMatchObject({ accepted: 5, delivered: 2, pending: 2, dead: 1, commands_sending: 1 });
      const again = await messages.accept(messageOf("answered"));
      expect(again.duplicate).toBe(true);
      // It was in the midst of that, as before a crash: whoever begins finds out what became of it.
      const interrupted = await commands.interrupted();
      expect(interrupted.length).toBe(1);
      for (const id of interrupted)
        await commands.settled(id, "in_doubt", { reason: "interrupted", whatsappMessageId: null });
      const heads = await messages.laneHeads();
      const head = await messages.headOf(heads[0]?.chat ?? 0);
      expect([heads.length, head?.message_id]).toEqual([1, "first"]);
      expect((await messages.delivered(head?.seq ?? 0, 200, "{}", [command("sent")]))[0]?.outcome).toBe("failed");
      expect((await messages.headOf(heads[0]?.chat ?? 0))?.message_id).toBe("second");
      const [dead] = await operator.messagesWithId("dead");
      expect(await operator.retry(dead?.id ?? 0, "anna")).toMatchObject({ done: true });
      const waiting: string[] = [];
      for (const chat of await commands.waitingChats()) waiting.push((await commands.nextOf(chat))?.command_id ?? "");
      expect(waiting).toEqual(["waiting 1"]);
      expect((await operator.audit(null, 10)).map(({ action, kind }) => `${action} (${kind})`)).toContain(
        "move the store (store)",
      );
      const next = await messages.accept(messageOf("next", BEN));
      expect(next).toMatchObject({ duplicate: false, seq: 6 });
    });
  });

  it("comes back with what was done meanwhile", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    expect((await migrate(url, "--to")).code).toBe(0);
    await inPostgres(url, async ({ messages }) => {
      await messages.accept(messageOf("meanwhile"));
    });
    const ran = await migrate(url, "--back", "--json");
    expect(ran).toMatchObject({ code: 0 });
    expect(JSON.parse(ran.stdout)).toMatchObject({ was_done: false, to: stateDir, ledger: { "message ids": 6 } });
    await inSqlite(async ({ messages, counters }) => {
      expect(await counters()).toMatchObject({ accepted: 6, pending: 3 });
      expect((await messages.accept(messageOf("meanwhile"))).duplicate).toBe(true);
    });
    // What was there before is kept, and the database is nobody's.
    expect(readdirSync(stateDir).filter((name) => name.startsWith("before-move-"))).toHaveLength(1);
    await expect(openThere(url)).rejects.toThrow(/was moved from here to .*without BRIDGE_STORE/);
    // And there again.
    const again = await makeHere(test);
    expect(await migrate(again, "--to")).toMatchObject({ code: 0 });
  });

  it("comes back with attachments that wait and lie on another machine", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    expect((await migrate(url, "--to")).code).toBe(0);
    const photo = Buffer.from("a photo");
    const sha256 = createHash("sha256").update(photo).digest("hex");
    const elsewhere = mkdtempSync(join(tmpdir(), "hotbags-migrate-"));
    test.onTestFinished(() => rmSync(elsewhere, { recursive: true }));
    const another = await openThere(url, ["shop"], elsewhere);
    const body = (async function* () {
      yield photo;
    })();
    await another.files.receive(sha256, { offset: 0, length: photo.length, body });
    const item = { type: "image" as const, mime_type: "image/jpeg", file_name: null, size_bytes: photo.length };
    await another.messages.accept(
      messageOf("with a photo", ANNA, { account_id: "shop", media: [{ ...item, sha256 }] }),
    );
    await another.close();
    const ran = await migrate(url, "--back");
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stderr).toContain("1 attachment of other machines is in the folder, too");
    await inSqlite(({ files }) => files.verify(sha256, photo.length));
  });

  it("tells each alert by whose it is, and all of them where it comes back", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    const kinds = { logged_out: "outlet", hot_bags: "backend", disk: "" };
    const db = new Database(join(stateDir, "bridge.sqlite"));
    for (const [n, [kind, subject]] of Object.entries(kinds).entries()) {
      db.prepare("INSERT INTO alerts VALUES (?, ?, ?, 'x', '{}', 1, 1, NULL, 1, 0, 0, 0, NULL, NULL)").run(
        kind,
        kind,
        subject,
      );
      db.prepare("INSERT INTO notices VALUES ('webhook', ?, ?, ?)").run(n + 1, n, JSON.stringify({ id: kind, kind }));
    }
    const read = (from: Database.Database) =>
      ["alerts", "notices"].map((table) => from.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all());
    const before = read(db);
    db.close();
    expect(await migrate(url, "--to")).toMatchObject({ code: 0 });
    for (const table of ["alerts", "notices"])
      expect(await askedIn(url, `SELECT account_id FROM ${table} ORDER BY 1`)).toEqual([
        ...[{ account_id: "" }, { account_id: "outlet" }],
      ]);
    const ofMachine = JSON.parse(readFileSync(join(stateDir, "machine-alerts.json"), "utf8"));
    expect(ofMachine).toMatchObject({ alerts: [{ kind: "disk" }], notices: [{ number: 3 }] });
    expect(await migrate(url, "--back")).toMatchObject({ code: 0 });
    const after = new Database(join(stateDir, "bridge.sqlite"), { readonly: true });
    expect(read(after)).toEqual(before);
    after.close();
  });

  it("waits as long as it would have waited, whatever the clocks say", async (test) => {
    const url = await makeHere(test);
    const wait = 40 * 60_000;
    const left = async (store: Pick<Store, "messages" | "provenNow">, chat: number) =>
      ((await store.messages.headOf(chat))?.next_attempt_at ?? 0) - store.provenNow();
    const before = await inSqlite(async (store) => {
      const { seq, chat } = await store.messages.accept(messageOf("waits"));
      const nextAttemptAt = store.provenNow() + wait;
      await store.messages.failed(seq, { error: "no", status: 503, nextAttemptAt, waitMs: wait, detach: false });
      return { chat, left: await left(store, chat) };
    });
    // The proven time is a day behind the wall clock, as after one that was wrong; the server's clock shows its own.
    const db = new Database(join(stateDir, "bridge.sqlite"));
    db.exec(
      `UPDATE proven_time SET proven_at = proven_at - 86400000; UPDATE messages SET next_attempt_at = next_attempt_at - 86400000`,
    );
    db.close();
    expect((await migrate(url, "--to")).code).toBe(0);
    const [there] = [await inPostgres(url, (store) => left(store, before.chat))];
    expect(there).toBeLessThanOrEqual(before.left);
    expect(there).toBeGreaterThan(before.left - 10 * 60_000);
    expect((await migrate(url, "--back")).code).toBe(0);
    const back = await inSqlite((store) => left(store, before.chat));
    expect(back).toBeLessThanOrEqual(there);
    expect(back).toBeGreaterThan(before.left - 10 * 60_000);
  });
});

describe("a move that is killed", () => {
  it.each(["move:before-commit", "move:whole", "move:left", "move:arriving"])(
    "at %s leaves no half of a store to a sidecar, and goes on",
    async (point) => {
      if (typeof databases === "string") return;
      const url = await databases.make();
      await leaveMany();
      failpoint.arm(point);
      await killed(url, "--to");
      await expect(openThere(url)).rejects.toThrow(/is not all here yet.*hotbags migrate --to/);
      if (["move:left", "move:arriving"].includes(point))
        expect(() => openStore(stateDir, systemClock)).toThrow(/was moved to .*BRIDGE_STORE/);
      const ran = await migrate(url, "--to", "--json");
      expect(ran).toMatchObject({ code: 0 });
      const { resumed_at, ledger } = JSON.parse(ran.stdout);
      expect(ledger["message ids"]).toBe(MANY);
      if (point !== "move:before-commit") expect(resumed_at).toBeGreaterThan(0);
      expect(() => openStore(stateDir, systemClock)).toThrow(/was moved to/);
      const accepted = await inPostgres(url, async (store) => (await store.counters()).accepted);
      expect(accepted).toBe(MANY);
      expect(await migrate(url, "--to")).toMatchObject({ code: 0, stderr: expect.stringMatching(/had been moved/) });
    },
  );

  it.each([...["move:before-commit", "move:whole", "move:left", "move:moved-away", "move:moved-in"]])(
    "back, at %s, too",
    async (point) => {
      if (typeof databases === "string") return;
      const url = await databases.make();
      await leaveMany();
      expect((await migrate(url, "--to")).code).toBe(0);
      failpoint.arm(point);
      await killed(url, "--back");
      expect(() => openStore(stateDir, systemClock)).toThrow(/was cut off.*hotbags migrate --back/);
      if (!["move:before-commit", "move:whole"].includes(point))
        await expect(openThere(url)).rejects.toThrow(/was moved from here/);
      expect(await migrate(url, "--back")).toMatchObject({ code: 0 });
      const accepted = await inSqlite(async (store) => (await store.counters()).accepted);
      expect(accepted).toBe(MANY);
      await expect(openThere(url)).rejects.toThrow(/was moved from here/);
    },
  );

  it("begins anew where the source has changed since", async (test) => {
    const url = await makeHere(test);
    await leaveMany();
    failpoint.arm("move:whole");
    await killed(url, "--to");
    await inSqlite(({ messages }) => messages.accept(messageOf("since")));
    const ran = await migrate(url, "--to", "--json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ resumed_at: 0, ledger: { "message ids": MANY + 1 } });
  });

  it("back begins anew where a sidecar has worked on the database since", async (test) => {
    const url = await makeHere(test);
    await leaveMany();
    expect((await migrate(url, "--to")).code).toBe(0);
    failpoint.arm("move:whole");
    await killed(url, "--back");
    await askedIn(url, "UPDATE moves SET at_work_until = now()");
    await inPostgres(url, ({ messages }) => messages.accept(messageOf("since")));
    const ran = await migrate(url, "--back", "--json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ resumed_at: 0, ledger: { "message ids": MANY + 1 } });
  });
});

describe("a move is refused", () => {
  it("while a sidecar runs, on either side, and says which", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    const embedded = openStore(stateDir, systemClock);
    expect(await migrate(url, "--to")).toMatchObject({ code: 1, stderr: expect.stringMatching(/in use by a sidecar/) });
    await embedded.close();
    const there = await openThere(url, ["outlet"]);
    const refused = { code: 1, stderr: expect.stringMatching(/sidecars run on .*there \(.*outlet\).*Stop each/) };
    expect(await migrate(url, "--to")).toMatchObject(refused);
    await there.close();
    expect((await migrate(url, "--to")).code).toBe(0);
    const owner = await openThere(url);
    expect(await migrate(url, "--back")).toMatchObject({ code: 1, stderr: expect.stringMatching(/Stop each/) });
    await owner.close();
    expect((await migrate(url, "--back")).code).toBe(0);
  });

  it("where the database has something else, or there is none", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    await inPostgres(url, ({ messages }) => messages.accept(messageOf("foreign")));
    const ran = await migrate(url, "--to");
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is not empty \(chats, .*Nothing was changed/),
    });
    expect(await inSqlite(async ({ counters }) => (await counters()).accepted)).toBe(5);
    const nowhere = await migrate(url.replace(/bridge_\d+$/, "nowhere"), "--to");
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/there is no such database/) });
    const empty = await running(test, databases).make("empty");
    expect(await migrate(empty, "--back", "--state-dir", join(stateDir, "new"))).toMatchObject({
      ...{ code: 1, stderr: expect.stringMatching(/there is no store in/) },
    });
    expect(await migrate(url, "--back")).toMatchObject({ code: 1, stderr: expect.stringMatching(/not moved away/) });
  });

  it("of a store with a damaged page, or a row that can't be, and names it", async (test) => {
    const url = await makeHere(test);
    await leaveAStore();
    const file = join(stateDir, "bridge.sqlite");
    const whole = readFileSync(file);
    const db = new Database(file);
    db.pragma("foreign_keys = OFF");
    db.exec("UPDATE messages SET chat = 99 WHERE message_id = 'second'");
    db.close();
    const ran = await migrate(url, "--to");
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/messages 5 can't be written.*Nothing is lost/s),
    });
    const bytes = Buffer.from(whole);
    bytes.fill(0xff, 4_096 * 3, 4_096 * 8);
    writeFileSync(file, bytes);
    expect(await migrate(url, "--to")).toMatchObject({ code: 1, stderr: expect.stringMatching(/is damaged/) });
    writeFileSync(file, whole);
    expect(await migrate(url, "--to")).toMatchObject({ code: 0 });
  });

  it("with a password in the command line, or without an address", async () => {
    const given = await runHotbagsWith({ BRIDGE_STATE_DIR: stateDir }, "migrate", "--to", "postgres://a:b@127.0.0.1/x");
    expect(given).toMatchObject({ code: 2, stderr: expect.stringMatching(/everybody on this machine can read/) });
    const none = await runHotbagsWith({ BRIDGE_STATE_DIR: stateDir }, "migrate", "--to");
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/BRIDGE_STORE is not set/) });
    const both = await migrate("postgres://127.0.0.1/x", "--to", "--back");
    expect(both).toMatchObject({ code: 2, stderr: expect.stringMatching(/say --to.*or --back/) });
    expect(existsSync(join(stateDir, "bridge.sqlite"))).toBe(false);
  });
});

it("a move is undone by an explicit step alone", async (test) => {
  const url = await makeHere(test);
  await leaveAStore();
  expect(await migrate(url, "--undo", "--yes")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/nothing to undo/),
  });
  expect((await migrate(url, "--to")).code).toBe(0);
  expect(await migrate(url, "--undo")).toMatchObject({ code: 2, stderr: expect.stringMatching(/sent again.*--yes/s) });
  expect(await migrate(url, "--undo", "--yes")).toMatchObject({ code: 0 });
  expect(await inSqlite(async ({ counters }) => (await counters()).accepted)).toBe(5);
});
