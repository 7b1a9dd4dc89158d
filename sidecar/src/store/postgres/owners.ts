import type { Queries } from "./connection.ts";
import { FLEET } from "./lease.ts";

/** Who owns which account, as people see it. */
export interface Owner {
  account_id: string;
  owner: string | null;
  token: number;
  /** Wall-clock ms, by the database. */
  since: number | null;
  /** Ms; 0 or less: anybody can take it. */
  left_ms: number;
  /** Whether the owner's own gateway has it. */
  is_beside: boolean;
  /** Whose gateway has it, and who asks for it; null: nobody else. */
  wanted_by: string | null;
}

/** A wish counts as long as a lease would, and none that was fulfilled since. */
export const IS_WANTED = "w.wanted_at > greatest(l.since, clock_timestamp() - $2 * interval '1 ms')";

/** An end that is no time: of an account that nobody ever owned. */
const ENDS_IN_MS = `CASE WHEN l.expires_at = '-infinity' THEN 0
  ELSE (extract(epoch FROM l.expires_at - clock_timestamp()) * 1000)::bigint END`;

/** All accounts that anybody ever owned. `ttlMs`: of a lease. */
export async function readOwners(db: Queries, ttlMs: number): Promise<Owner[]> {
  return await db.rows<Owner>(
    `SELECT l.account_id, owner, token, (extract(epoch FROM since) * 1000)::bigint AS since, ${ENDS_IN_MS} AS left_ms,
       is_beside, (SELECT wanted_by FROM wanted_accounts w WHERE w.account_id = l.account_id AND ${IS_WANTED}) AS wanted_by
     FROM leases l WHERE l.account_id <> $1 ORDER BY l.account_id`,
    ...[FLEET, ttlMs],
  );
}
