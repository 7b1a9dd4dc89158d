import type pg from "pg";

/** How long a transaction may stand still before the server ends it, ms: a sidecar that is stopped in the midst of one must not keep what it has locked. */
const IDLE_MS = 5_000;

/**
 * Runs `work` in one transaction. Two round trips more than its statements. The limit is set inside of the transaction,
 * so that it holds behind a transaction pooler too, which keeps no session's settings.
 */
export async function transaction<T>(
  pool: pg.Pool,
  work: (tx: pg.PoolClient) => Promise<T>,
  idleMs = IDLE_MS,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // The server can end it at any time; whoever awaits a query is told by that.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on("error", onError);
  try {
    await client.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.round(idleMs)}`);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollbackError: Error) => {
      broken = rollbackError;
    });
    throw error;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}
