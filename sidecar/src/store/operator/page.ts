/** A part of a list. `next`: what the next part begins before; null: this was the last. A part can be empty, and not be the last. */
export interface Page<Row> {
  rows: Row[];
  next: number | null;
}

/** Rows that one page looks at, whatever it finds: what it costs has nothing to do with how many there are. */
export const SCANNED_ROWS = 2_000;

/** What is wanted of these rows, of which there are at most SCANNED_ROWS: the first `limit`. */
export function pageOf<Row extends { id: number }>(
  rows: Iterable<Row>,
  isWanted: (row: Row) => boolean,
  limit: number,
): Page<Row> {
  const wanted: Row[] = [];
  let last: number | null = null;
  let scanned = 0;
  for (const row of rows) {
    scanned += 1;
    last = row.id;
    if (isWanted(row)) wanted.push(row);
    if (wanted.length === limit) return { rows: wanted, next: last };
  }
  return { rows: wanted, next: scanned === SCANNED_ROWS ? last : null };
}
