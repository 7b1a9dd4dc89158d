import type { Failure } from "../failures.ts";
import type { Queries } from "./connection.ts";

/** See `Failures` of the embedded store. */
export type FailureKind = "dead" | "detached" | "command_failed" | "reply_dropped";

/** What failed last, by kind, over the accounts that this sidecar owns. */
export class Failures {
  readonly #db: Queries;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, accounts: () => readonly string[]) {
    this.#db = db;
    this.#accounts = accounts;
  }

  /** Null: there was none yet. `count`: of all these accounts. */
  async latest(kind: FailureKind): Promise<Failure | null> {
    const [row] = await this.#db.rows<Failure>(
      `SELECT at, message_id, reason, (sum(count) OVER ())::bigint AS count FROM failures
       WHERE kind = $1 AND account_id = ANY ($2) ORDER BY at DESC LIMIT 1`,
      ...[kind, this.#accounts()],
    );
    return row ?? null;
  }
}
