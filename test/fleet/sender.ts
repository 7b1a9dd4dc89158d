import type pg from "pg";
import { guard, type Lease, type Leases } from "./lease.ts";
import { transaction } from "./transaction.ts";

/** Instants at which a test has a sender stopped. */
export type Moment = "in-transaction" | "before-send";

/** What the owner before has left in the midst of a send may have gone out: it is in doubt, and never sent again by itself. */
export async function takeOver(pool: pg.Pool, lease: Lease): Promise<number> {
  return transaction(pool, async (tx) => {
    await guard(tx, lease);
    const { rowCount } = await tx.query(
      `UPDATE commands SET state = 'in_doubt', settled_at = now()
       WHERE state = 'sending' AND chat IN (SELECT chat FROM chats WHERE account_id = $1)`,
      [lease.account],
    );
    return rowCount ?? 0;
  });
}

/**
 * Sends the account's next command: `sending` on disk, then `handOver`, then `sent`. Returns its id; null: there is none,
 * or it could not be handed over since the lease may be another one's by now. Throws FencedOffError.
 */
export async function send(
  pool: pg.Pool,
  leases: Leases,
  lease: Lease,
  reached: (moment: Moment) => Promise<void>,
  handOver: (commandId: string) => void,
): Promise<string | null> {
  const next = await transaction(
    pool,
    async (tx) => {
      await guard(tx, lease);
      const { rows } = await tx.query<{ id: string; command_id: string }>(
        `UPDATE commands SET state = 'sending' WHERE id =
           (SELECT min(id) FROM commands WHERE state = 'pending'
            AND chat IN (SELECT chat FROM chats WHERE account_id = $1)) RETURNING id, command_id`,
        [lease.account],
      );
      await reached("in-transaction");
      return rows[0];
    },
    1_000,
  );
  if (!next) return null;
  await reached("before-send");
  // Not sent, and not known to the next owner: for it the command is in doubt, as one that was sent.
  if (!leases.isFresh(lease)) return null;
  handOver(next.command_id);
  await transaction(pool, async (tx) => {
    await guard(tx, lease);
    await tx.query("UPDATE commands SET state = 'sent', settled_at = now() WHERE id = $1 AND state = 'sending'", [
      next.id,
    ]);
  });
  return next.command_id;
}
