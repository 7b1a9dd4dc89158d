import { type CounterName, NO_COUNTS } from "../counters.ts";
import type { Queries } from "./connection.ts";

type Counts = Record<CounterName, number>;

/** The ledger, over the accounts that this sidecar owns. Written by Writing, with what it counts. */
export class Counters {
  readonly #db: Queries;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, accounts: () => readonly string[]) {
    this.#db = db;
    this.#accounts = accounts;
  }

  /** All counters, of one instant; one that never moved is 0. */
  async read(): Promise<Counts> {
    return sumOf((await this.byAccount()).values());
  }

  /** The same of each account that is ours. */
  async byAccount(): Promise<Map<string, Counts>> {
    const accounts = this.#accounts();
    const all = new Map(accounts.map((account) => [account, { ...NO_COUNTS }]));
    const rows = await this.#db.rows<{ account_id: string; name: string; value: number }>(
      "SELECT account_id, name, value FROM counters WHERE account_id = ANY ($1)",
      accounts,
    );
    for (const { account_id, name, value } of rows) {
      const counts = all.get(account_id);
      if (counts && name in counts) counts[name as CounterName] = value;
    }
    return all;
  }
}

export function sumOf(all: Iterable<Counts>): Counts {
  const sum = { ...NO_COUNTS };
  for (const counts of all) for (const name of Object.keys(sum) as CounterName[]) sum[name] += counts[name];
  return sum;
}
