import { canonical, hashRow, type MovedTable, type MovingRoom, newChecksum, type Row } from "../store/index.ts";
import { pagesOf, RowReader } from "./rows.ts";

/** What a table was found to be on both sides. */
export interface Compared {
  table: string;
  rows: number;
  /** SHA-256 of its rows, in their order. */
  sha256: string;
}

/** Both sides are not the same. The message says where. */
export class DifferenceError extends Error {
  override readonly name = "DifferenceError";
}

/**
 * Reads a table from both sides, row by row: no more than a page of each is in memory. Rejects with DifferenceError at
 * the first row that differs. `passed`: told of rows that were compared.
 */
export async function compareTable(
  [source, target]: readonly [MovingRoom, MovingRoom],
  table: MovedTable,
  passed: (rows: number) => void,
): Promise<Compared> {
  const hash = newChecksum();
  const others = new RowReader(target, table);
  let rows = 0;
  for await (const page of pagesOf(source, table)) {
    for (const row of page) {
      if (!others.hasNext) await others.fill();
      const other = others.take();
      const text = canonical(row);
      if (other === undefined || canonical(other) !== text) throw differs(table, row, other);
      hashRow(hash, text);
    }
    rows += page.length;
    passed(page.length);
  }
  if (!others.hasNext) await others.fill();
  const more = others.take();
  if (more !== undefined) throw differs(table, undefined, more);
  return { table: table.name, rows, sha256: hash.digest("hex") };
}

/** Compares what both rooms count by themselves. Rejects with DifferenceError. Resolves with what both have. */
export async function compareLedgers(source: MovingRoom, target: MovingRoom): Promise<Record<string, string | number>> {
  const [ours, theirs] = [await source.ledger(), await target.ledger()];
  for (const what of new Set([...ours.keys(), ...theirs.keys()]))
    if (ours.get(what) !== theirs.get(what))
      throw new DifferenceError(`${what}: ${ours.get(what) ?? "none"} there, ${theirs.get(what) ?? "none"} here`);
  return Object.fromEntries(ours);
}

/** Without what the row says: it is a customer's. */
function differs(table: MovedTable, row: Row | undefined, other: Row | undefined): DifferenceError {
  const key = (row ?? other ?? []).slice(0, table.key).map((value) => (typeof value === "number" ? value : "…"));
  const isOnce = row === undefined || other === undefined || row[0] !== other[0] || row[1] !== other[1];
  return new DifferenceError(
    `${table.name} ${key.join(" ")} ${isOnce ? "is on one side only" : "is not the same on both"}`,
  );
}
