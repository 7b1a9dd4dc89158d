import type { Failure, FailureKind } from "../look.ts";
import type { Queries } from "./connection.ts";

type Last = Record<FailureKind, Failure | null>;

const NONE: Readonly<Last> = { dead: null, detached: null, command_failed: null, reply_dropped: null };

/** What failed last, by kind, over the accounts that this sidecar owns. */
export class Failures {
  readonly #db: Queries;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, accounts: () => readonly string[]) {
    this.#db = db;
    this.#accounts = accounts;
  }

  /** The last of each kind; null: there was none yet. `count`: of all these accounts. */
  async all(): Promise<Last> {
    return lastOf((await this.byAccount()).values());
  }

  /** The same of each account that is ours. */
  async byAccount(): Promise<Map<string, Last>> {
    const accounts = this.#accounts();
    const all = new Map(accounts.map((account) => [account, { ...NONE }]));
    const rows = await this.#db.rows<Failure & { account_id: string; kind: FailureKind }>(
      "SELECT account_id, kind, at, message_id, reason, count FROM failures WHERE account_id = ANY ($1) ORDER BY account_id",
      accounts,
    );
    for (const { account_id, kind, ...failure } of rows) {
      const last = all.get(account_id);
      if (last && kind in last) last[kind] = failure;
    }
    return all;
  }
}

export function lastOf(all: Iterable<Last>): Last {
  const last = { ...NONE };
  for (const one of all)
    for (const kind of Object.keys(last) as FailureKind[]) last[kind] = later(last[kind], one[kind]);
  return last;
}

/** The later of the two, with how many there were of both. */
function later(a: Failure | null, b: Failure | null): Failure | null {
  if (a === null || b === null) return a ?? b;
  return { ...(b.at > a.at ? b : a), count: a.count + b.count };
}
