import { accountId } from "@hotbags/shared";
import type { Queries } from "./connection.ts";
import { FLEET, type Lease } from "./lease.ts";
import { migrations } from "./migrations/index.ts";
import { IS_MOVING } from "./moves.ts";
import { IS_WANTED } from "./owners.ts";

export interface LeasesOptions {
  connection: Queries;
  /** Names this process for people; what counts is the token. */
  owner: string;
  /** A lease that was not renewed for so long can be taken by another one. */
  ttlMs: number;
  /** Ms of a monotonic clock that goes on while the process is stopped. */
  uptimeMs: () => number;
  /** This release's schema. One that is outdated takes nothing. */
  release?: number;
}

/** An account that another one owns, as whoever asks for it sees that. */
export interface Refused {
  account: string;
  owner: string;
  token: number;
  isBeside: boolean;
  /** By the database's clock, ms. */
  endsAt: number;
}

/** What became of leases that were to be renewed. */
export interface Renewed {
  /** Those that are another one's now. */
  lost: Lease[];
  /** Those of ours that somebody asks for who stands beside the account. */
  wanted: { account: string; by: string }[];
  /** Of those that are ours: how often another sidecar has written something of them. */
  touched: Map<string, number>;
}

/** A lease that was taken, and how often another sidecar than the owner had written something of the account by then. */
export interface Taken extends Lease {
  touched: number;
}

/** A lease, for the ones that are not over yet or were given back: `$2` is the time of one, ms. */
const TTL = "$2 * interval '1 ms'";

/** What whoever does not stand beside an account may take: nobody who does has given it back just now, or asks for it. */
const IS_LEFT_ALONE = `(l.owner IS NOT NULL OR l.expires_at <= clock_timestamp() - ${TTL})
  AND NOT EXISTS (SELECT 1 FROM wanted_accounts w WHERE w.account_id = l.account_id AND ${IS_WANTED})`;

/**
 * Which account this process owns. When a lease ends is said by the database's clock alone, so a wrong clock here
 * matters to nobody. Each take-over raises the account's token, and every transaction that changes something of the
 * account begins with `guard`. All that lock several leases do so in the accounts' order.
 */
export class Leases {
  readonly #options: LeasesOptions;
  /** When each lease surely is over by our own clock, had it not been renewed. */
  readonly #freshUntil = new Map<string, { token: number; at: number }>();
  /** Accounts that surely have a row. */
  readonly #known = new Set<string>();

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  /**
   * Takes what nobody owns, or whose owner was not heard of for its time: of `beside`, which this sidecar stands beside,
   * and of all accounts that anybody ever owned, but for those that are `held` already.
   */
  async take(beside: readonly string[], held: readonly string[] = []): Promise<Taken[]> {
    const { connection, owner, ttlMs, uptimeMs, release = migrations.length } = this.#options;
    await this.#make(beside);
    const asked = uptimeMs();
    // A row that somebody is in the midst of a change of is left for the next time: what is written is seen after it.
    const rows = await connection.rows<{ account_id: string; token: number; touched: number }>(
      `UPDATE leases t SET owner = $1, token = t.token + 1, since = clock_timestamp(), is_beside = t.account_id = ANY ($3),
         expires_at = clock_timestamp() + ${TTL}
       FROM (SELECT account_id FROM leases l WHERE expires_at <= clock_timestamp() AND account_id <> ALL ($4)
               AND (SELECT oldest FROM schema_version) <= $5
               AND NOT ${IS_MOVING}
               AND (account_id = ANY ($3) OR ${IS_LEFT_ALONE})
             ORDER BY account_id FOR NO KEY UPDATE SKIP LOCKED) free
       WHERE t.account_id = free.account_id AND t.expires_at <= clock_timestamp() RETURNING t.account_id, t.token, t.touched`,
      ...[owner, ttlMs, beside, held, release],
    );
    return rows.flatMap(({ account_id: account, token, touched }) => {
      // What no gateway could have is none, whoever wrote it there.
      if (account !== FLEET && !accountId.safeParse(account).success) return [];
      this.#freshUntil.set(account, { token, at: asked + ttlMs });
      return [{ account, token, touched }];
    });
  }

  /** Asks the owners of these accounts, which this sidecar stands beside, to give them back. Says who they are. */
  async ask(accounts: readonly string[]): Promise<Refused[]> {
    const { connection, owner } = this.#options;
    const rows = await connection.rows<Omit<Refused, "isBeside" | "endsAt"> & { is_beside: boolean; ends_at: number }>(
      `WITH wishes AS (
         INSERT INTO wanted_accounts AS w SELECT account_id, $2, clock_timestamp() FROM unnest($1::text[]) AS g (account_id)
         ORDER BY account_id
         ON CONFLICT (account_id) DO UPDATE SET wanted_by = excluded.wanted_by, wanted_at = excluded.wanted_at
       )
       SELECT account_id AS account, owner, token, is_beside, (extract(epoch FROM expires_at) * 1000)::bigint AS ends_at
       FROM leases WHERE account_id = ANY ($1) AND owner IS NOT NULL AND expires_at > clock_timestamp()`,
      ...[accounts, owner],
    );
    return rows.map(({ is_beside: isBeside, ends_at: endsAt, ...row }) => ({ ...row, isBeside, endsAt }));
  }

  /** Renews all leases of this process, in one statement; `isBeside`: see Owner. */
  async renew(leases: readonly Lease[], isBeside: (account: string) => boolean = () => false): Promise<Renewed> {
    const { connection, ttlMs, uptimeMs } = this.#options;
    const asked = uptimeMs();
    // A lease that is over, and that nobody has taken, is as good as before: its token says so.
    const rows = await connection.rows<{ account_id: string; wanted_by: string | null; touched: number }>(
      `UPDATE leases t SET expires_at = clock_timestamp() + ${TTL}, is_beside = held.is_beside
       FROM (SELECT l.account_id, h.token, h.is_beside, w.wanted_by
             FROM leases l JOIN unnest($1::text[], $3::bigint[], $4::boolean[]) AS h (account_id, token, is_beside) USING (account_id, token)
             LEFT JOIN wanted_accounts w ON w.account_id = l.account_id AND ${IS_WANTED}
             ORDER BY l.account_id FOR NO KEY UPDATE OF l) held
       WHERE t.account_id = held.account_id AND t.token = held.token RETURNING t.account_id, held.wanted_by, t.touched`,
      leases.map(({ account }) => account),
      ttlMs,
      leases.map(({ token }) => token),
      leases.map(({ account }) => isBeside(account)),
    );
    const kept = new Set(rows.map((row) => row.account_id));
    for (const { account, token } of leases) {
      if (kept.has(account)) this.#freshUntil.set(account, { token, at: asked + ttlMs });
      else this.#freshUntil.delete(account);
    }
    const wanted = rows.flatMap(({ account_id: account, wanted_by: by }) => (by === null ? [] : [{ account, by }]));
    const touched = new Map(rows.map((row) => [row.account_id, row.touched]));
    return { touched, lost: leases.filter(({ account }) => !kept.has(account)), wanted };
  }

  /**
   * Gives accounts back: whoever stands beside one need not wait, and all others wait as long as a lease lasts, for a
   * sidecar that only starts anew. What of them is still under way here is refused.
   */
  async release(leases: readonly Lease[]): Promise<void> {
    for (const { account } of leases) this.#freshUntil.delete(account);
    await this.#options.connection.rows(
      `UPDATE leases t SET owner = NULL, token = t.token + 1, expires_at = clock_timestamp(), is_beside = false
       FROM (SELECT l.account_id, h.token FROM leases l JOIN unnest($1::text[], $2::bigint[]) AS h (account_id, token)
               USING (account_id, token) ORDER BY l.account_id FOR NO KEY UPDATE OF l) held
       WHERE t.account_id = held.account_id AND t.token = held.token`,
      ...[leases.map(({ account }) => account), leases.map(({ token }) => token)],
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

  /** The names of all accounts that anybody ever stood beside. */
  async accounts(): Promise<string[]> {
    const rows = await this.#options.connection.rows<{ account_id: string }>(
      "SELECT account_id FROM leases WHERE account_id <> $1",
      FLEET,
    );
    return rows.map(({ account_id }) => account_id);
  }

  async #make(accounts: readonly string[]): Promise<void> {
    const fresh = accounts.filter((account) => !this.#known.has(account));
    if (fresh.length === 0) return;
    await this.#options.connection.rows(
      `INSERT INTO leases (account_id) SELECT account_id FROM unnest($1::text[]) AS g (account_id) ORDER BY account_id
       ON CONFLICT DO NOTHING`,
      fresh,
    );
    for (const account of fresh) this.#known.add(account);
  }
}
