import { NotOwnedError } from "../errors.ts";
import type { Queries } from "./connection.ts";

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

export interface LeasesOptions {
  connection: Queries;
  /** Names this process for people; what counts is the token. */
  owner: string;
  /** A lease that was not renewed for so long can be taken by another one. */
  ttlMs: number;
  /** Ms of a monotonic clock that goes on while the process is stopped. */
  uptimeMs: () => number;
}

/** Who owns which account, as people see it. */
export interface Owner {
  account_id: string;
  owner: string | null;
  token: number;
  /** Wall-clock ms, by the database. */
  since: number | null;
  /** Ms; 0 or less: anybody can take it. */
  left_ms: number;
}

/**
 * Which account this process owns. When a lease ends is said by the database's clock alone, so a wrong clock here
 * matters to nobody. Each take-over raises the account's token, and every transaction that changes something of the
 * account begins with `guard`.
 */
export class Leases {
  readonly #options: LeasesOptions;
  /** When each lease surely is over by our own clock, had it not been renewed. */
  readonly #freshUntil = new Map<string, { token: number; at: number }>();

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /** Takes an account that nobody owns, or whose owner was not heard of for its time. Null: another one owns it. */
  async acquire(account: string): Promise<Lease | null> {
    const { connection, owner, ttlMs, uptimeMs } = this.#options;
    const asked = uptimeMs();
    await connection.rows("INSERT INTO leases (account_id) VALUES ($1) ON CONFLICT DO NOTHING", account);
    // The row is locked by whoever is in the midst of a change of this account: what it writes is seen after this.
    const [row] = await connection.rows<{ token: number }>(
      `UPDATE leases SET owner = $2, token = token + 1, since = clock_timestamp(),
         expires_at = clock_timestamp() + $3 * interval '1 ms'
       WHERE account_id = $1 AND expires_at <= clock_timestamp() RETURNING token`,
      ...[account, owner, ttlMs],
    );
    if (!row) return null;
    this.#freshUntil.set(account, { token: row.token, at: asked + ttlMs });
    return { account, token: row.token };
  }

  /** Renews all leases of this process, in one statement. Returns those that are another one's now. */
  async renew(leases: readonly Lease[]): Promise<Lease[]> {
    const { connection, ttlMs, uptimeMs } = this.#options;
    const asked = uptimeMs();
    // A lease that is over, and that nobody has taken, is as good as before: its token says so.
    const rows = await connection.rows<{ account_id: string }>(
      `UPDATE leases l SET expires_at = clock_timestamp() + $3 * interval '1 ms'
       FROM unnest($1::text[], $2::bigint[]) AS held (account_id, token)
       WHERE l.account_id = held.account_id AND l.token = held.token RETURNING l.account_id`,
      ...[leases.map(({ account }) => account), leases.map(({ token }) => token), ttlMs],
    );
    const kept = new Set(rows.map((row) => row.account_id));
    for (const { account, token } of leases) {
      if (kept.has(account)) this.#freshUntil.set(account, { token, at: asked + ttlMs });
      else this.#freshUntil.delete(account);
    }
    return leases.filter(({ account }) => !kept.has(account));
  }

  /** Gives an account back, so that another one need not wait. What of it is still under way here is refused. */
  async release({ account, token }: Lease): Promise<void> {
    this.#freshUntil.delete(account);
    await this.#options.connection.rows(
      `UPDATE leases SET owner = NULL, token = token + 1, expires_at = '-infinity'
       WHERE account_id = $1 AND token = $2`,
      ...[account, token],
    );
  }

  /**
   * Whether nobody else can own the account yet, by our own clock: to be asked right before something is done that can't
   * be taken back. `guard` can't tell of the time since its commit, in which this process may have been stopped.
   */
  isFresh({ account, token }: Lease): boolean {
    const fresh = this.#freshUntil.get(account);
    return fresh !== undefined && fresh.token === token && this.#options.uptimeMs() < fresh.at;
  }

  /** All accounts that anybody ever owned. */
  async owners(): Promise<Owner[]> {
    return await this.#options.connection.rows<Owner>(
      `SELECT account_id, owner, token, (extract(epoch FROM since) * 1000)::bigint AS since,
         CASE WHEN expires_at = '-infinity' THEN 0 ELSE (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint END AS left_ms
       FROM leases WHERE account_id <> $1 ORDER BY account_id`,
      FLEET,
    );
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

/**
 * The first statement of each transaction that changes something of these accounts: until the commit nobody can take
 * them. `FOR SHARE`, since the update of a take-over does not conflict with less.
 */
export async function guard(tx: Queries, leases: readonly Lease[]): Promise<Guarded> {
  const rows = await tx.rows<{ account_id: string; xid: string; secret: Buffer | null }>(
    `SELECT l.account_id, pg_current_xact_id()::text AS xid, (SELECT secret FROM erasure WHERE id = 1) AS secret
     FROM leases l JOIN unnest($1::text[], $2::bigint[]) AS held (account_id, token) USING (account_id, token)
     FOR SHARE OF l`,
    ...[leases.map(({ account }) => account), leases.map(({ token }) => token)],
  );
  // Who owns nothing may still write what an operator does.
  const [first = await nobody(tx)] = rows;
  return { accounts: new Set(rows.map((row) => row.account_id)), xid: first.xid, secret: first.secret };
}

async function nobody(tx: Queries): Promise<Pick<Guarded, "xid" | "secret">> {
  const [row] = await tx.rows<{ xid: string; secret: Buffer | null }>(
    "SELECT pg_current_xact_id()::text AS xid, (SELECT secret FROM erasure WHERE id = 1) AS secret",
  );
  if (!row) throw new Error("a transaction has no number");
  return row;
}

/**
 * Locks accounts of others, in the midst of a transaction: until its end their owners write nothing of them, and nobody
 * takes one over. Returns those of `accounts` that there are, with the ones that are ours.
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
          "SELECT account_id FROM leases WHERE account_id = ANY ($1) ORDER BY account_id FOR NO KEY UPDATE",
          others,
        );
  return new Set([...[...asked].filter((account) => ours.has(account)), ...rows.map((row) => row.account_id)]);
}
