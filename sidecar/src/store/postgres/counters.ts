import type { CounterName } from "../counters.ts";
import type { Queries } from "./connection.ts";

const NONE: Readonly<Record<CounterName, 0>> = {
  accepted: 0,
  delivered: 0,
  pending: 0,
  dead: 0,
  discarded: 0,
  detached: 0,
  commands_pending: 0,
  commands_sending: 0,
  commands_sent: 0,
  commands_queued_by_gateway: 0,
  commands_in_doubt: 0,
  commands_failed: 0,
  commands_skipped: 0,
  commands_done: 0,
  replies_sent_from_queue: 0,
  replies_dropped: 0,
  reports_waiting: 0,
  reports_delivered: 0,
  reports_dropped: 0,
  events_waiting: 0,
  events_delivered: 0,
  events_dropped: 0,
  outbound_taken: 0,
  outbound_refused: 0,
};

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
    const counts: Record<CounterName, number> = { ...NONE };
    const rows = await this.#db.rows<{ name: string; value: number }>(
      "SELECT name, sum(value)::bigint AS value FROM counters WHERE account_id = ANY ($1) GROUP BY name",
      this.#accounts(),
    );
    for (const { name, value } of rows) if (name in counts) counts[name as CounterName] = value;
    return counts;
  }
}
