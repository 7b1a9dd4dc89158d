import { type CounterName, NO_COUNTS } from "../counters.ts";
import type { Queries } from "./connection.ts";

/** The ledger, over the accounts that this sidecar owns. Written by Writing, with what it counts. */
export class Counters {
  readonly #db: Queries;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, accounts: () => readonly string[]) {
    this.#db = db;
    this.#accounts = accounts;
  }

  /** All counters, of one instant; one that never moved is 0. */
  async read(): Promise<Record<CounterName, number>> {
    const counts = { ...NO_COUNTS };
    const rows = await this.#db.rows<{ name: string; value: number }>(
      "SELECT name, sum(value)::bigint AS value FROM counters WHERE account_id = ANY ($1) GROUP BY name",
      this.#accounts(),
    );
    for (const { name, value } of rows) if (name in counts) counts[name as CounterName] = value;
    return counts;
  }
}
