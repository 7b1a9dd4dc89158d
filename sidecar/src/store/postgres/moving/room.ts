import { StoreUnusableError } from "../../errors.ts";
import { MoveRefusedError } from "../../moving.ts";
import { Connection, type Queries } from "../connection.ts";
import { wordsOf } from "../faults.ts";
import { FLEET } from "../lease.ts";
import { migrations } from "../migrations/index.ts";

/** A table of a million rows is read, and an index of it made, in the time that that takes. */
const PATIENCE_MS = 3_600_000;

/** Whoever is at a move, and was not heard of for so long, ms, is gone. */
const AT_WORK_MS = 15_000;
export const RENEW_MS = 5_000;

/** When it is over that somebody is at work, unless they say so again. */
export const AT_WORK_UNTIL = `clock_timestamp() + interval '${AT_WORK_MS} ms'`;

export interface Move {
  way: "in" | "out";
  other: string;
  fingerprint: string;
  done_at: Date | null;
  is_at_work: boolean;
}

export function connect(url: string): Connection {
  return new Connection({ url, connections: 2, answerMs: PATIENCE_MS, idleMs: PATIENCE_MS });
}

/** Of `transaction`: as long as it takes. */
export const NO_LIMIT = "SET LOCAL statement_timeout = 0";

/** What `work` gives. What the server says against it is told with what to do. */
export async function told<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MoveRefusedError || error instanceof StoreUnusableError) throw error;
    throw new MoveRefusedError(
      `${name} can't be used: ${wordsOf(error)}. What was copied stays there: run the same command again, and it goes on`,
      { cause: error },
    );
  }
}

/** Throws MoveRefusedError where the tables are not those of this release. */
export async function mustBeOurs(db: Queries, name: string): Promise<void> {
  const [is] = await db.rows<{ has_version: boolean }>(
    "SELECT to_regclass('schema_version') IS NOT NULL AS has_version",
  );
  if (!is?.has_version) throw new MoveRefusedError(`there is no store in ${name}: no sidecar was ever started on it`);
  const [row] = await db.rows<{ version: number }>("SELECT version FROM schema_version");
  const version = row?.version ?? 0;
  if (version !== migrations.length)
    throw new MoveRefusedError(
      `the store in ${name} is of another release (schema ${version}, this one has ${migrations.length}): ` +
        (version > migrations.length ? "use that one." : "start a sidecar of this one on it once, and stop it."),
    );
}

/** In a transaction: the last move; and until its end nobody takes an account. */
export async function lockMoves(tx: Queries): Promise<Move | undefined> {
  await tx.rows("LOCK TABLE leases IN EXCLUSIVE MODE");
  const [move] = await tx.rows<Move>(
    "SELECT way, other, fingerprint, done_at, at_work_until > clock_timestamp() AS is_at_work FROM moves",
  );
  return move;
}

/**
 * Behind `lockMoves`: nobody owns an account, and none that was stopped in the midst of its work can go on with it. Throws
 * MoveRefusedError where somebody does.
 */
export async function takeFromAll(tx: Queries, name: string): Promise<void> {
  const owners = await tx.rows<{ owner: string; accounts: string }>(
    `SELECT owner, string_agg(CASE WHEN account_id = $1 THEN 'what one does for all' ELSE account_id END, ', ' ORDER BY account_id) AS accounts
     FROM leases WHERE owner IS NOT NULL AND expires_at > clock_timestamp() GROUP BY owner ORDER BY owner`,
    FLEET,
  );
  if (owners.length > 0)
    throw new MoveRefusedError(
      `sidecars run on ${name}: ${owners.map(({ owner, accounts }) => `${owner} (${accounts})`).join("; ")}. ` +
        "Stop each of them first (systemctl stop hotbags-sidecar, there). One that was killed is gone after 15 s.",
    );
  await tx.rows(
    "UPDATE leases SET owner = NULL, token = token + 1, expires_at = clock_timestamp(), is_beside = false WHERE owner IS NOT NULL",
  );
}
