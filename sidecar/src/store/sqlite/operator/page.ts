import { isDamage } from "../../errors.ts";
import type { Page } from "../../operator.ts";

/** Where a list comes from. Each gives what is before a row, newest first, and at most SCANNED_ROWS. */
export interface Source<Row> {
  rows(before: number): Iterable<Row>;
  /** Only their numbers, from an index: it can be whole where the rows are not. */
  ids(before: number): number[];
  row(id: number): Row | undefined;
}

/** Rows that one page looks at, whatever it finds: what it costs has nothing to do with how many there are. */
export const SCANNED_ROWS = 2_000;

/**
 * What is wanted of these rows: the first `limit`. Where a page of the database is damaged, it is read row by row, and
 * what can't be read is named instead; throws what SQLite throws where an index is damaged as well.
 */
export function pageOf<Row extends { id: number }>(
  source: Source<Row>,
  { before, isWanted, limit }: { before: number; isWanted: (row: Row) => boolean; limit: number },
): Page<Row> {
  try {
    return firstOf(source.rows(before), isWanted, limit);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return firstOf(oneByOne(source, before), isWanted, limit);
  }
}

/** A number alone: that row can't be read. */
function firstOf<Row extends { id: number }>(
  rows: Iterable<Row | number>,
  isWanted: (row: Row) => boolean,
  limit: number,
): Page<Row> {
  const wanted: Row[] = [];
  const unreadable: number[] = [];
  let last: number | null = null;
  let scanned = 0;
  for (const row of rows) {
    scanned += 1;
    last = typeof row === "number" ? row : row.id;
    if (typeof row === "number") unreadable.push(row);
    else if (isWanted(row)) wanted.push(row);
    if (wanted.length === limit) return { rows: wanted, next: last, unreadable };
  }
  return { rows: wanted, next: scanned === SCANNED_ROWS ? last : null, unreadable };
}

function* oneByOne<Row>(source: Source<Row>, before: number): Generator<Row | number> {
  for (const id of source.ids(before)) yield readable(source, id) ?? id;
}

/** Undefined: what the index has handed out is on a damaged page, or not there at all. */
function readable<Row>(source: Source<Row>, id: number): Row | undefined {
  try {
    return source.row(id);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}
