import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished } from "vitest";
import { DatabaseRefusedError, readPragma, setUpDatabase } from "./sqlite.ts";

const MIGRATIONS = ["CREATE TABLE one (n INTEGER)", "CREATE TABLE two (n INTEGER)"];

function fileOf(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-sqlite-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, name);
}

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file);
  onTestFinished(() => {
    if (db.isOpen) db.close();
  });
  return db;
}

const tablesOf = (db: DatabaseSync) =>
  db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .all()
    .map(({ name }) => name);

it("runs each migration once, from where the database is", () => {
  const file = fileOf("db");
  const db = open(file);
  setUpDatabase(db, file, MIGRATIONS.slice(0, 1));
  expect(tablesOf(db)).toEqual(["one"]);
  setUpDatabase(db, file, MIGRATIONS);
  setUpDatabase(db, file, MIGRATIONS);
  expect(tablesOf(db)).toEqual(["one", "two"]);
  expect(readPragma(db, "user_version")).toBe(2);
});

it("leaves a database as it was when a migration fails, and names the reason", () => {
  const file = fileOf("db");
  const db = open(file);
  expect(() => setUpDatabase(db, file, [...MIGRATIONS, "CREATE TABLE one (n INTEGER)"])).toThrow(/already exists/);
  expect(tablesOf(db)).toEqual([]);
  expect(readPragma(db, "user_version")).toBe(0);
  setUpDatabase(db, file, MIGRATIONS);
  expect(tablesOf(db)).toEqual(["one", "two"]);
});

it("refuses what a newer release wrote, with what to do, and changes nothing", () => {
  const file = fileOf("db");
  const db = open(file);
  setUpDatabase(db, file, MIGRATIONS);
  const older = () => setUpDatabase(db, file, MIGRATIONS.slice(0, 1));
  expect(older).toThrow(DatabaseRefusedError);
  expect(older).toThrow(/newer release \(schema 2, this one knows 1\)\. Install that release/);
  expect(readPragma(db, "user_version")).toBe(2);
});
