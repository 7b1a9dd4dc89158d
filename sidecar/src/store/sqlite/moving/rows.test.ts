import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MOVED_TABLES, type MovedTable } from "../../moving.ts";
import { openDatabase } from "../database.ts";

/** Written as a store arrives, by the clock of where it does; and empty but for a moment. */
const OWN_WAY = ["proven_time", "probe"];

it("all columns of all tables are moved, with those of the latest migration", () => {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-moved-"));
  const { db, close } = openDatabase(dir);
  const there = db
    .prepare<[], { name: string; column: string; type: string }>(
      `SELECT t.name, c.name AS column, c.type FROM sqlite_schema t JOIN pragma_table_info(t.name) c
       WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'`,
    )
    .all()
    .filter(({ name }) => !OWN_WAY.includes(name));
  close();
  rmSync(dir, { recursive: true });
  const types = { integer: "INTEGER", flag: "INTEGER", text: "TEXT", bytes: "BLOB" };
  const moved = (MOVED_TABLES as readonly MovedTable[])
    .filter(({ name }) => name !== "console_numbers")
    .flatMap(({ name, columns }) =>
      Object.entries(columns).map(([column, kind]) => ({ name, column, type: types[kind] })),
    );
  const sorted = (columns: typeof there) => columns.map((one) => Object.values(one).join(" ")).sort();
  expect(sorted(moved)).toEqual(sorted(there));
});
