import { NotOwnedError } from "../errors.ts";
import type { Queries } from "./connection.ts";
import { migrations } from "./migrations/index.ts";
import { refuseRewound } from "./rewound.ts";
import { OutdatedError } from "./schema.ts";

/** A lease that was not renewed for so long, ms, can be taken by another sidecar. */
export const TTL_MS = 15_000;

/** The right to change what is an account's, until somebody else has a higher token. */
export interface Lease {
  account: string;
  token: number;
}

/**
 * Stands in the place of an account for what is done once for all sidecars: whoever owns it leads. No account of OpenClaw
 * is called so.
 */
export const FLEET = "";

/** This process owns the account no more, or not yet. Nothing of what was to be changed is written. */
export class FencedOffError extends NotOwnedError {
  override readonly name = "FencedOffError";

  constructor(account: string) {
    const what = account === FLEET ? "what one sidecar does for all" : `the account ${account}`;
    super(`${what} is another sidecar's, or nobody's: what this one would change of it is not written`);
  }
}

/** What `guard` found. */
export interface Guarded {
  /** Those that are still ours. */
  accounts: ReadonlySet<string>;
  /** The transaction's number. */
  xid: string;
  /** What ids of those who were forgotten are hashed with; null: nobody was. */
  secret: Buffer | null;
}

interface Found extends Omit<Guarded, "accounts"> {
  version: number;
  oldest: number;
  wall_at: number | null;
}

const FOUND = `pg_current_xact_id()::text AS xid, (SELECT secret FROM erasure WHERE id = 1) AS secret,
  (SELECT version FROM schema_version) AS version, (SELECT oldest FROM schema_version) AS oldest,
  (SELECT wall_at FROM proven_time) AS wall_at`;

/**
 * The first statement of each transaction that changes something of these accounts: until the commit nobody can take
 * them. `FOR SHARE`, since the update of a take-over does not conflict with less. In the order in which all lock them.
 * Throws OutdatedError where a release of this schema may write no more; until the commit none can take away what it needs
 * (see `migrate`); and RewoundError where the database was put back to before `seenAt`.
 */
export async function guard(
  tx: Queries,
  leases: readonly Lease[],
  release: number = migrations.length,
  seenAt = 0,
): Promise<Guarded> {
  const rows = await tx.rows<Found & { account_id: string }>(
    `SELECT l.account_id, ${FOUND}
     FROM leases l JOIN unnest($1::text[], $2::bigint[]) AS held (account_id, token) USING (account_id, token)
     ORDER BY l.account_id FOR SHARE OF l`,
    ...[leases.map(({ account }) => account), leases.map(({ token }) => token)],
  );
  // Who owns nothing may still write what an operator does.
  const [first = await nobody(tx)] = rows;
  if (first.oldest > release) throw new OutdatedError(release, first.version);
  refuseRewound(first.wall_at, seenAt);
  return { accounts: new Set(rows.map((row) => row.account_id)), xid: first.xid, secret: first.secret };
}

async function nobody(tx: Queries): Promise<Found> {
  const [row] = await tx.rows<Found>(`SELECT ${FOUND}`);
  if (!row) throw new Error("a transaction has no number");
  return row;
}

/**
 * Locks accounts of others, in the midst of a transaction: until its end their owners write nothing of them, and nobody
 * takes one over; afterwards they find out that they have to look. Returns those of `accounts` that there are, with the ones that are ours.
 */
export async function lockOthers(
  tx: Queries & { accounts: readonly string[] },
  accounts: readonly string[],
): Promise<Set<string>> {
  const ours = new Set(tx.accounts);
  const asked = new Set(accounts.filter((account) => account !== FLEET));
  const others = [...asked].filter((account) => !ours.has(account));
  const rows =
    others.length === 0
      ? []
      : await tx.rows<{ account_id: string }>(
          `UPDATE leases t SET touched = t.touched + 1
           FROM (SELECT account_id FROM leases WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE) l
           WHERE t.account_id = l.account_id RETURNING t.account_id`,
          others,
        );
  return new Set([...[...asked].filter((account) => ours.has(account)), ...rows.map((row) => row.account_id)]);
}
