import { closeSync, openSync, writeSync } from "node:fs";
import Database from "better-sqlite3";

/**
 * Makes pages of a database unreadable, as a bad disk does: all of one kind that a table or an index has, or those that `pick` takes from them in
 * the order of their keys. Nobody may have it open. Returns how many they were. @throws Error when there is none.
 */
export function damage(
  file: string,
  name: string,
  { kind = "leaf", pick = (pages) => pages }: { kind?: "leaf" | "overflow"; pick?: (pages: number[]) => number[] } = {},
): number {
  const db = new Database(file);
  db.pragma("wal_checkpoint(TRUNCATE)");
  const size = Number(db.pragma("page_size", { simple: true }));
  const pages = db
    .prepare<[string, string], number>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path")
    .pluck()
    .all(name, kind);
  db.close();
  const picked = pick(pages).filter((page) => page !== undefined);
  if (picked.length === 0) throw new Error(`${name} has no such page among its ${pages.length} of the kind ${kind}`);
  const disk = openSync(file, "r+");
  for (const page of picked) writeSync(disk, Buffer.alloc(size, 0xff), 0, size, (page - 1) * size);
  closeSync(disk);
  return picked.length;
}
