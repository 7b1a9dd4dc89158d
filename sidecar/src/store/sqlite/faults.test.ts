import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { unlessDamagedWithin } from "./faults.ts";

/** As a disk that fails has SQLite say it, which may have taken the transaction back by then. */
const DISK_ERROR = new Database.SqliteError("disk I/O error", "SQLITE_IOERR");

describe("what can't be read of a damaged page, inside of a transaction", () => {
  const db = new Database(":memory:");

  it("is done without where the transaction goes on", () => {
    db.exec("BEGIN");
    const found = unlessDamagedWithin(
      db,
      () => {
        throw DISK_ERROR;
      },
      () => "nothing",
    );
    db.exec("ROLLBACK");
    expect(found).toBe("nothing");
  });

  it("is an error where SQLite has taken it back: what comes behind would be written alone", () => {
    db.exec("BEGIN");
    const read = () =>
      unlessDamagedWithin(
        db,
        () => {
          db.exec("ROLLBACK");
          throw DISK_ERROR;
        },
        () => "nothing",
      );
    expect(read).toThrow(DISK_ERROR);
  });
});
