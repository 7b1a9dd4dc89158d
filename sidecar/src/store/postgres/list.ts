import type { Page } from "../operator.ts";
import type { Queries } from "./connection.ts";

/** Rows that one page looks at, whatever it finds: what it costs has nothing to do with how many there are. */
export const SCANNED_ROWS = 2_000;

export interface Listing {
  /** A SELECT of the rows that are looked at, each with its `id`, and a WHERE of its own. */
  scan: string;
  /** Conditions of what is wanted of them. */
  wanted: readonly string[];
  /** What both name. */
  values: readonly unknown[];
  limit: number;
}

/** What is wanted of the newest rows: the first `limit`. One that meets a damaged page rejects. */
export async function readPage<Row extends { id: number }>(
  db: Queries,
  { scan, wanted, values, limit }: Listing,
): Promise<Page<Row>> {
  const found = await db.rows<{ scanned: number; last: number | null; row: Row | null }>(
    `WITH scanned AS MATERIALIZED (${scan} ORDER BY id DESC LIMIT ${SCANNED_ROWS}),
       wanted AS (SELECT * FROM scanned WHERE ${["true", ...wanted].join(" AND ")} ORDER BY id DESC LIMIT ${Math.trunc(limit)})
     SELECT s.scanned, s.last, to_json(w) AS row
     FROM (SELECT count(*) AS scanned, min(id) AS last FROM scanned) s LEFT JOIN wanted w ON true ORDER BY w.id DESC`,
    ...values,
  );
  const rows = found.flatMap(({ row }) => row ?? []);
  const { scanned = 0, last = null } = found[0] ?? {};
  const next = rows.length === limit ? (rows.at(-1)?.id ?? null) : scanned === SCANNED_ROWS ? last : null;
  return { rows, next, unreadable: [] };
}
