import type { Failure, FailureKind } from "../look.ts";
import type { Queries } from "./connection.ts";

/** What failed last, by kind, over the accounts that this sidecar owns. */
export class Failures {
  readonly #db: Queries;
  readonly #accounts: () => readonly string[];

  constructor(db: Queries, accounts: () => readonly string[]) {
    this.#db = db;
    this.#accounts = accounts;
  }

  /** The last of each kind; null: there was none yet. `count`: of all these accounts. */
  async all(): Promise<Record<FailureKind, Failure | null>> {
    const all: Record<FailureKind, Failure | null> = {
      ...{ dead: null, detached: null, command_failed: null, reply_dropped: null },
    };
    const rows = await this.#db.rows<Failure & { kind: FailureKind }>(
      `SELECT DISTINCT ON (kind) kind, at, message_id, reason, (sum(count) OVER (PARTITION BY kind))::bigint AS count FROM failures
       WHERE account_id = ANY ($1) ORDER BY kind, at DESC`,
      this.#accounts(),
    );
    for (const { kind, ...failure } of rows) if (kind in all) all[kind] = failure;
    return all;
  }
}
