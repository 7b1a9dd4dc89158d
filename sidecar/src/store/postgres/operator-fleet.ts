import type { FleetAccount } from "../fleet.ts";
import type { Queries } from "./connection.ts";
import { readOwners } from "./owners.ts";

type Counted = Pick<FleetAccount, "account_id" | "waiting" | "dead" | "replies_waiting" | "replies_in_doubt">;

const NONE = { waiting: 0, dead: 0, replies_waiting: 0, replies_in_doubt: 0 };

/** All accounts that anybody ever owned, in the order of their names. */
export async function readFleet(db: Queries, ttlMs: number): Promise<FleetAccount[]> {
  const of = (name: string) => `coalesce(sum(value) FILTER (WHERE name = '${name}'), 0)::bigint`;
  const counted = await db.rows<Counted>(
    `SELECT account_id, ${of("pending")} AS waiting, ${of("dead")} AS dead,
       ${of("commands_pending")} AS replies_waiting, ${of("commands_in_doubt")} AS replies_in_doubt
     FROM counters GROUP BY account_id`,
  );
  const counts = new Map(counted.map((row) => [row.account_id, row]));
  return (await readOwners(db, ttlMs)).map(({ account_id, owner, since, left_ms, is_beside, wanted_by }) => {
    // Who was not heard of for the time of a lease works on it no more.
    const works = owner !== null && left_ms > 0;
    const account = { account_id, owner: works ? owner : null, since, is_beside: works && is_beside, wanted_by };
    return { ...account, ...NONE, ...counts.get(account_id) };
  });
}
