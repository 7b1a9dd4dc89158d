import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { GroupCommit } from "./group-commit.ts";

let dir: string;
let db: Database.Database;
let commit: GroupCommit;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-commit-"));
  db = new Database(join(dir, "test.sqlite"));
  db.exec("CREATE TABLE notes (note TEXT NOT NULL)");
  commit = new GroupCommit(db);
});
afterEach(() => {
  db.close();
  rmSync(dir, { recursive: true });
});

const write = (note: string | null) => () => db.prepare("INSERT INTO notes VALUES (?)").run(note).changes;
const notes = () => db.prepare("SELECT note FROM notes").pluck().all();

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

it("lets one failing write fail alone", async () => {
  const results = await Promise.allSettled(["a", null, "c"].map((note) => commit.run("note", write(note))));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(notes()).toEqual(["a", "c"]);
  expect(db.inTransaction).toBe(false);
});

it("lets nothing overtake what a full disk refused", async () => {
  db.pragma("max_page_count = 2");
  const big = "x".repeat(50_000);
  const results = await Promise.allSettled([big, "small"].map((note) => commit.run("note", write(note))));
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(notes()).toEqual([]);
});

it("tells why the disk refused, until it takes a write again", async () => {
  db.pragma("max_page_count = 2");
  await expect(commit.run("note", write("x".repeat(50_000)))).rejects.toThrow(/full/);
  expect(commit.failure).toMatch(/note: .*full.*SQLITE_FULL/);
  db.pragma("max_page_count = 1000");
  await commit.run("note", write("y"));
  expect(commit.failure).toBeNull();
});

it("writes what waits when it is closed, and nothing after that", async () => {
  const last = commit.run("note", write("last"));
  commit.close();
  await last;
  await expect(commit.run("note", write("late"))).rejects.toThrow(/closed/);
  expect(notes()).toEqual(["last"]);
});
