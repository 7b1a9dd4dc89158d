import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { damage as makeUnreadable } from "../../../../test/sidecar/damage.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { until } from "../../../../test/until.ts";
import { systemClock } from "../../clock.ts";
import { DamageRecord } from "../damage.ts";
import { StoreUnwritableError } from "../errors.ts";
import type { Outage } from "../outage.ts";
import { Counters } from "./counters.ts";
import { openDatabase } from "./database.ts";
import { Feed } from "./feed.ts";
import { GroupCommit } from "./group-commit.ts";
import { Writability } from "./writability.ts";

let dir: string;
let db: Database.Database;
let close: () => void;
let writability: Writability;
let counters: Counters;
let commit: GroupCommit;
let told: (Outage | null)[];
let damage: DamageRecord;
/** What every message needs of the database. */
let rehearse: () => void;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-commit-"));
  open();
  db.exec("CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL)");
});
afterEach(() => {
  close();
  rmSync(dir, { recursive: true });
});

function open() {
  const opened = openDatabase(dir);
  db = opened.db;
  damage = new DamageRecord(systemClock);
  const backoff = { baseMs: 2, maxMs: 10 };
  writability = new Writability({ db, clock: systemClock, damage, rehearse: () => rehearse(), backoff });
  counters = new Counters(db);
  commit = new GroupCommit(db, writability, new Feed(db), counters);
  told = [];
  rehearse = () => {};
  writability.onChange((outage) => told.push(outage));
  close = () => {
    writability.close();
    opened.close();
  };
}

function reopen(meanwhile: () => void) {
  close();
  meanwhile();
  open();
}

const write = (note: string | null) => () => db.prepare("INSERT INTO notes (note) VALUES (?)").run(note).changes;
const notes = () => db.prepare("SELECT note FROM notes ORDER BY id").pluck().all();
const again = () => until("it can be written again", () => writability.outage === null);
const outcomes = async (jobs: Promise<unknown>[]) => (await Promise.allSettled(jobs)).map(({ status }) => status);

/** As many pages as there are, and so many more: what does not fit is refused like by a full disk. */
const leaveRoomFor = (pages: number) => {
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.pragma(`max_page_count = ${Number(db.pragma("page_count", { simple: true })) + pages}`);
};
/** What a write says while another program has the lock. */
const busy = () => new Database.SqliteError("database is locked", "SQLITE_BUSY");
const makeRoom = () => db.pragma("max_page_count = 100000");

it("counts what it has written and nothing else, however a batch falls apart", async () => {
  const counted = (note: string | null) => () => {
    counters.add("accepted", 1);
    counters.add("pending", 1);
    counters.add("pending", -1);
    return write(note)();
  };
  const jobs = ["first", null, "third", "fourth"].map((note) => commit.run("note", counted(note)));
  expect(await outcomes(jobs)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(counters.read()).toMatchObject({ accepted: 3, pending: 0 });
  await expect(commit.run("note", counted(null))).rejects.toThrow();
  expect(counters.of("accepted")).toBe(3);
  await commit.run("note", counted("fifth"));
  expect(counters.read().accepted).toBe(4);
});

it("writes what comes in one turn in one transaction, in order", async () => {
  const seen: unknown[] = [];
  await Promise.all(
    ["a", "b", "c"].map((note) =>
      commit.run("note", () => {
        seen.push(db.inTransaction);
        return write(note)();
      }),
    ),
  );
  expect(seen).toEqual([true, true, true]);
  expect(notes()).toEqual(["a", "b", "c"]);
});

describe("what nobody waits for", () => {
  let commits: number;
  beforeEach(() => {
    commits = 0;
    commit = new GroupCommit(db, writability, new Feed(db), counters, { onCommit: () => (commits += 1) });
  });

  it("goes with what somebody does wait for, in order", async () => {
    const jobs = [commit.later("note", write("a")), commit.run("note", write("b")), commit.later("note", write("c"))];
    await jobs[1];
    expect([notes(), commits]).toEqual([["a", "b", "c"], 1]);
    expect(await outcomes(jobs)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  });

  it("is written soon, where nothing else is", async () => {
    await Promise.all([commit.later("note", write("a")), commit.later("note", write("b"))]);
    expect([notes(), commits]).toEqual([["a", "b"], 1]);
    await commit.later("note", write("c"));
    await commit.run("note", write("d"));
    expect([notes(), commits]).toEqual([["a", "b", "c", "d"], 3]);
  });

  it("keeps nothing else back where it fails", async () => {
    const jobs = [commit.later("note", write(null)), commit.run("note", write("b"))];
    expect(await outcomes(jobs)).toEqual(["rejected", "fulfilled"]);
    expect(notes()).toEqual(["b"]);
  });

  it("waits for a lock with the others", async () => {
    let held = true;
    const locked = () => {
      if (held) throw busy();
      return write("b")();
    };
    const jobs = [commit.later("note", write("a")), commit.run("note", locked)];
    await new Promise<void>((tried) => setImmediate(() => setImmediate(tried)));
    jobs.push(commit.later("note", write("c")));
    held = false;
    expect(await outcomes(jobs)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect([notes(), commits]).toEqual([["a", "b", "c"], 1]);
  });
});

it.each(["run", "later"] as const)("writes what waits when it is closed, and nothing after that (%s)", async (verb) => {
  const last = commit[verb]("note", write("last"));
  commit.close();
  await last;
  await expect(commit[verb]("note", write("late"))).rejects.toThrow(/closed/);
  expect(notes()).toEqual(["last"]);
});

describe("a write that is itself at fault", () => {
  const throws = () => {
    throw new Error("no such thing");
  };

  it.each([
    ["a constraint", write(null)],
    ["an error of ours", throws],
  ])("fails alone: %s", async (_what, bad) => {
    const jobs = [write("a"), bad, write("c")].map((work) => commit.run("note", work));
    expect(await outcomes(jobs)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(notes()).toEqual(["a", "c"]);
    expect(db.inTransaction).toBe(false);
    expect(told).toEqual([]);
  });

  it("takes what follows it in its chat along, and nothing else", async () => {
    const jobs = [
      commit.run("note", write("a1"), "a"),
      commit.run("note", write(null), "a"),
      commit.run("note", write("b1"), "b"),
      commit.run("note", write("a3"), "a"),
      commit.run("note", write("c"), undefined),
      commit.run("note", write("a4"), "a"),
    ];
    const expected = ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled", "rejected"];
    expect(await outcomes(jobs)).toEqual(expected);
    expect(notes()).toEqual(["a1", "b1", "c"]);
    await commit.run("note", write("a2"), "a");
    expect(notes()).toEqual(["a1", "b1", "c", "a2"]);
  });

  it("is one that needs a page that can't be read, and the store takes others all the same", async () => {
    for (let n = 0; n < 100; n += 1) write("x".repeat(500))();
    reopen(() => makeUnreadable(join(dir, "bridge.sqlite"), "notes", { pick: ([first = 0]) => [first] }));
    const change = (id: number) => () => db.prepare("UPDATE notes SET note = 'changed' WHERE id = ?").run(id);
    const jobs = [1, 100].map((id) => commit.run("note", change(id), String(id)));
    jobs.push(commit.run("note", change(99), "1"));
    expect(await outcomes(jobs)).toEqual(["rejected", "fulfilled", "rejected"]);
    await expect(commit.run("note", change(1))).rejects.toThrow(/malformed/);
    expect(told).toEqual([]);
    expect(damage.met?.failure).toMatch(/note: .*SQLITE_CORRUPT/);
    expect(db.prepare("SELECT note FROM notes WHERE id >= 99").pluck().all()).toEqual(["x".repeat(500), "changed"]);
  });
});

describe("a store that can't write", () => {
  it("refuses all alike: a smaller write would overtake the one before it", async () => {
    leaveRoomFor(5);
    const jobs = ["x".repeat(50_000), "small"].map((note) => commit.run("note", write(note)));
    expect(await outcomes(jobs)).toEqual(["rejected", "rejected"]);
    await expect(commit.run("note", write("small"))).rejects.toThrow(StoreUnwritableError);
    expect(notes()).toEqual([]);
  });

  it("says what failed and since when, tells of it once, and of its end", async () => {
    leaveRoomFor(5);
    const before = Date.now();
    await expect(commit.run("note", write("x".repeat(50_000)))).rejects.toThrow(/note: .*full.*SQLITE_FULL/);
    const { outage } = writability;
    expect(outage?.failure).toMatch(/note: .*full.*SQLITE_FULL/);
    expect(outage?.since).toBeGreaterThanOrEqual(before);
    for (let n = 0; n < 5; n += 1) await expect(commit.run("note", write("y"))).rejects.toThrow(/SQLITE_FULL/);
    expect(told).toEqual([outage]);
    makeRoom();
    await again();
    expect(told).toEqual([outage, null]);
    await commit.run("note", write("z"));
    expect(notes()).toEqual(["z"]);
  });

  it("is not over as long as the largest message would not fit", async () => {
    leaveRoomFor(100);
    await expect(commit.run("note", write("x".repeat(500_000)))).rejects.toThrow(StoreUnwritableError);
    let probes = 0;
    db.function("probed", { deterministic: false }, () => ++probes);
    db.exec("CREATE TEMP TRIGGER probing BEFORE INSERT ON probe BEGIN SELECT probed(); END");
    await until("it was probed often", () => probes >= 5);
    expect(told).toHaveLength(1);
    makeRoom();
    await again();
  });

  it("is none where another program gives its lock back in a moment: all is written, in order", async () => {
    const other = new Database(join(dir, "bridge.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    const jobs = ["M1", "M2"].map((note) => commit.run("note", write(note)));
    // It has met the lock by then.
    await new Promise((resolve) => setImmediate(resolve));
    const late = commit.run("note", write("M3"));
    other.exec("ROLLBACK");
    other.close();
    expect(await outcomes([...jobs, late])).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(notes()).toEqual(["M1", "M2", "M3"]);
    expect(told).toEqual([]);
  });

  it("is one that another program has locked for long, and the event loop does not wait for that", async () => {
    const other = new Database(join(dir, "bridge.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    expect(db.pragma("busy_timeout", { simple: true })).toBe(0);
    const jobs = ["M1", "M2", "M3", "M4"].map((note) => commit.run("note", write(note)));
    expect(await outcomes(jobs)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
    expect(writability.outage?.failure).toMatch(/SQLITE_BUSY/);
    other.exec("ROLLBACK");
    other.close();
    await again();
    await commit.run("note", write("M1"));
    expect(notes()).toEqual(["M1"]);
  });

  it("is one with damage that the next message would meet, until it would not", async () => {
    for (let n = 0; n < 100; n += 1) write("x".repeat(500))();
    reopen(() => makeUnreadable(join(dir, "bridge.sqlite"), "notes", { pick: (pages) => pages.slice(-1) }));
    let isMended = false;
    rehearse = () => void (isMended || write("rehearsed")());
    await expect(commit.run("note", write("a"))).rejects.toThrow(StoreUnwritableError);
    expect(told).toMatchObject([{ isDamage: true, failure: expect.stringMatching(/note: .*SQLITE_CORRUPT/) }]);
    expect(damage.met).not.toBeNull();
    isMended = true;
    await again();
  });

  it("is found to be over within two seconds, however long it was", () => {
    const clock = new SimulatedClock();
    const slow = new Writability({ db, clock, timers: clock, damage, rehearse });
    const other = new Database(join(dir, "bridge.sqlite"));
    other.exec("BEGIN IMMEDIATE");
    expect(slow.check("note", busy())).toBe(false);
    clock.advance(600_000);
    expect(slow.outage).not.toBeNull();
    other.exec("ROLLBACK");
    other.close();
    clock.advance(2_000);
    expect(slow.outage).toBeNull();
  });

  it("asks no more once it is closed", async () => {
    leaveRoomFor(5);
    await expect(commit.run("note", write("x".repeat(50_000)))).rejects.toThrow(StoreUnwritableError);
    writability.close();
    makeRoom();
    commit.close();
    expect(writability.outage).not.toBeNull();
  });
});
