import { randomUUID } from "node:crypto";
import type { Queries } from "./connection.ts";

/** What a sidecar that has not written for so long had in question is long decided. */
const KEPT = "30 days";

/**
 * Each transaction leaves a mark of its own, so that it can be known afterwards whether it is committed. Its number in the
 * server does not tell that alone: a promoted replica that lacks the transaction gives the number to another one.
 */
export class CommitMarks {
  readonly #writer = randomUUID();
  #n = 0;

  /** What makes the mark of the next transaction, which must be the only one of this sidecar that is not decided. */
  next(): { n: number; statement: string } {
    const n = ++this.#n;
    // Not ON CONFLICT, which logs a lock of the row besides. Where it was swept, or the first one taken back, it is made anew.
    const make = `WITH known AS (UPDATE commits SET n = ${n}, at = now() WHERE writer = '${this.#writer}' RETURNING 1)
      INSERT INTO commits (writer, n) SELECT '${this.#writer}', ${n} WHERE NOT EXISTS (SELECT 1 FROM known)`;
    const sweep = `DELETE FROM commits WHERE at < now() - interval '${KEPT}'`;
    return { n, statement: n === 1 ? `${sweep}; ${make}` : make };
  }

  /** Whether the transaction with this mark and this number is committed; null: it is not decided yet. */
  async isCommitted(db: Queries, { n, xid }: { n: number; xid: string }): Promise<boolean | null> {
    const [row] = await db.rows<{ status: string | null }>("SELECT pg_xact_status($1::text::xid8) AS status", xid);
    if (row?.status === "in progress") return null;
    // After that, for a mark that was looked for before could have been made since.
    const marks = await db.rows("SELECT 1 FROM commits WHERE writer = $1 AND n = $2", this.#writer, n);
    return marks.length > 0;
  }
}
