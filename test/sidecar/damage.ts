import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import Database from "better-sqlite3";

// What a bad disk does to a database. Nobody may have it open.

/** The pages of one kind that a table or an index has, in the order of their keys, and their size. */
function pagesOf(file: string, name: string, kind: "leaf" | "overflow"): { size: number; pages: number[] } {
  const db = new Database(file);
  db.pragma("wal_checkpoint(TRUNCATE)");
  const size = Number(db.pragma("page_size", { simple: true }));
  const pages = db
    .prepare<[string, string], number>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path")
    .pluck()
    .all(name, kind);
  db.close();
  return { size, pages };
}

function write(file: string, bytes: Buffer, at: number): void {
  const disk = openSync(file, "r+");
  writeSync(disk, bytes, 0, bytes.length, at);
  closeSync(disk);
}

/**
 * Makes pages unreadable: all of one kind that a table or an index has, or those that `pick` takes from them in the
 * order of their keys. Returns how many they were. @throws Error when there is none.
 */
export function damage(
  file: string,
  name: string,
  { kind = "leaf", pick = (pages) => pages }: { kind?: "leaf" | "overflow"; pick?: (pages: number[]) => number[] } = {},
): number {
  const { size, pages } = pagesOf(file, name, kind);
  const picked = pick(pages).filter((page) => page !== undefined);
  if (picked.length === 0) throw new Error(`${name} has no such page among its ${pages.length} of the kind ${kind}`);
  for (const page of picked) write(file, Buffer.alloc(size, 0xff), (page - 1) * size);
  return picked.length;
}

/**
 * Flips one bit of `word`, where it stands right behind `before` in a row of a table: of its second byte, or of another
 * one from its beginning on. The indexes still say what they said. @throws Error when there is no such row.
 */
export function flipBit(file: string, table: string, before: string, word: string, { offset = 1, bit = 8 } = {}): void {
  const { size, pages } = pagesOf(file, table, "leaf");
  const all = readFileSync(file);
  for (const page of pages) {
    const start = (page - 1) * size;
    const found = all.subarray(start, start + size).indexOf(before + word);
    if (found === -1) continue;
    const at = start + found + Buffer.byteLength(before) + offset;
    return write(file, Buffer.from([(all[at] ?? 0) ^ bit]), at);
  }
  throw new Error(`no row of ${table} has ${word} behind ${before}`);
}

/** Flips a bit of the key of a table's first row: it is out of its order then, and found by who goes through them all only. */
export function flipFirstKey(file: string, table: string): void {
  const { size, pages } = pagesOf(file, table, "leaf");
  const start = ((pages[0] ?? 0) - 1) * size;
  const all = readFileSync(file);
  // The first cell of the page: the size of the row, in one byte, then its key.
  const at = start + all.readUInt16BE(start + 8) + 1;
  write(file, Buffer.from([(all[at] ?? 0) ^ 8]), at);
}

/** Remembers the pages of a table or an index. Returns how to lose what was written to them since. */
export function remember(file: string, name: string): () => void {
  const { size, pages } = pagesOf(file, name, "leaf");
  const disk = openSync(file, "r");
  const before = pages.map((page) => {
    const bytes = Buffer.alloc(size);
    readSync(disk, bytes, 0, size, (page - 1) * size);
    return { bytes, at: (page - 1) * size };
  });
  closeSync(disk);
  return () => {
    pagesOf(file, name, "leaf");
    for (const { bytes, at } of before) write(file, bytes, at);
  };
}
