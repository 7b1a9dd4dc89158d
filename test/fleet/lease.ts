import type pg from "pg";

/** The right to change what is an account's, until somebody else has a higher token. */
export interface Lease {
  account: string;
  /** A bigint of the database, as `pg` reads it. */
  token: string;
}

/** This process owns the account no more. Nothing of the transaction is written. */
export class FencedOffError extends Error {
  constructor({ account, token }: Lease) {
    super(`the account ${account} is another sidecar's: the lease ${token} is over`);
    this.name = "FencedOffError";
  }
}

export interface LeasesOptions {
  pool: pg.Pool;
  /** Names this process for people; what counts is the token. */
  owner: string;
  /** A lease that was not renewed for so long can be taken by another one. */
  ttlMs: number;
  /** Ms of a monotonic clock that goes on while the process is stopped. */
  uptimeMs: () => number;
}

/**
 * Which account this process owns. When a lease ends is said by the database's clock alone, so a wrong clock here
 * matters to nobody. Each take-over raises the account's token, and every transaction that changes something of the
 * account begins with `guard`.
 */
export class Leases {
  readonly #options: LeasesOptions;
  /** When each lease surely is over by our own clock, had it not been renewed. */
  readonly #freshUntil = new Map<string, { token: string; at: number }>();

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /** Takes an account that nobody owns, or whose owner was not heard of for its time. Null: another one owns it. */
  async acquire(account: string): Promise<Lease | null> {
    const { pool, owner, ttlMs, uptimeMs } = this.#options;
    const asked = uptimeMs();
    await pool.query("INSERT INTO leases (account_id) VALUES ($1) ON CONFLICT DO NOTHING", [account]);
    // The row is locked by whoever is in the midst of a change of this account: what it writes is seen after this.
    const { rows } = await pool.query<{ token: string }>(
      `UPDATE leases SET owner = $2, token = token + 1, since = clock_timestamp(),
         expires_at = clock_timestamp() + $3 * interval '1 ms'
       WHERE account_id = $1 AND expires_at <= clock_timestamp() RETURNING token`,
      [account, owner, ttlMs],
    );
    const [row] = rows;
    if (!row) return null;
    this.#freshUntil.set(account, { token: row.token, at: asked + ttlMs });
    return { account, token: row.token };
  }

  /** Renews all leases of this process, in one statement. Returns those that are another one's now. */
  async renew(leases: readonly Lease[]): Promise<Lease[]> {
    const { pool, ttlMs, uptimeMs } = this.#options;
    const asked = uptimeMs();
    // A lease that is over, and that nobody has taken, is as good as before: its token says so.
    const { rows } = await pool.query<{ account_id: string }>(
      `UPDATE leases l SET expires_at = clock_timestamp() + $3 * interval '1 ms'
       FROM unnest($1::text[], $2::bigint[]) AS held (account_id, token)
       WHERE l.account_id = held.account_id AND l.token = held.token RETURNING l.account_id`,
      [leases.map(({ account }) => account), leases.map(({ token }) => token), ttlMs],
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
    await this.#options.pool.query(
      `UPDATE leases SET owner = NULL, token = token + 1, expires_at = '-infinity'
       WHERE account_id = $1 AND token = $2`,
      [account, token],
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
}

/**
 * The first statement of each transaction that changes something of an account: until the commit nobody can take it.
 * Throws FencedOffError. `FOR SHARE`, since the update of a take-over does not conflict with less.
 */
export async function guard(tx: pg.ClientBase, lease: Lease): Promise<void> {
  const { rowCount } = await tx.query("SELECT 1 FROM leases WHERE account_id = $1 AND token = $2 FOR SHARE", [
    lease.account,
    lease.token,
  ]);
  if (rowCount !== 1) throw new FencedOffError(lease);
}
