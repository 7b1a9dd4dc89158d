import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../clock.ts";
import { inspectStore, openStore } from "../index.ts";

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-inspection-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

it("finds none before the first start, and makes none", () => {
  const dir = folder();
  expect(inspectStore(dir)).toBeNull();
  expect(inspectStore(dir)).toBeNull();
});

it("finds nothing wrong beside the sidecar that owns it, which goes on writing", async () => {
  const dir = folder();
  const store = openStore(dir, systemClock);
  const found = inspectStore(dir);
  expect(found).toMatchObject({ damage: [], ledger: [], version: found?.newest });
  expect(found?.sizeBytes).toBeGreaterThan(0);
  store.close();
});

it("says which counts are not those of the rows, and do not add up", () => {
  const dir = folder();
  openStore(dir, systemClock).close();
  const db = new Database(join(dir, "bridge.sqlite"));
  db.exec("INSERT INTO counters (name, value) VALUES ('pending', 2), ('dead', 1)");
  db.close();
  expect(inspectStore(dir)?.ledger).toEqual([
    "0 accepted are not 0 delivered, 2 pending, 1 dead and 0 discarded",
    "2 pending are counted, and 0 are there",
    "1 dead are counted, and 0 are there",
  ]);
});

it("says of a restore that was cut off, whatever it has left", () => {
  const dir = folder();
  writeFileSync(join(dir, "restore.unfinished"), "before-restore-then\n");
  expect(inspectStore(dir)).toMatchObject({ unfinished: expect.stringMatching(/was cut off.*before-restore-then/) });
});

it("says of which schema one of another release is, and looks at its pages all the same", () => {
  const dir = folder();
  openStore(dir, systemClock).close();
  const db = new Database(join(dir, "bridge.sqlite"));
  db.pragma("user_version = 999");
  db.close();
  expect(inspectStore(dir)).toMatchObject({ version: 999, damage: [], ledger: [] });
});
