import type { Connection, Downtime, DowntimeStore, RecordedDowntime } from "../downtimes.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FencedOffError } from "./lease.ts";
import { eventReport } from "./reports.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** Of an account; older ones are forgotten, unless their alert is still to be raised. */
const KEPT_DOWNTIMES = 100;

const DOWNTIME = `id, account_id AS "accountId", from_at AS "from", to_at AS "to", clock_jump_ms AS "clockJumpMs"`;

interface DowntimesParts {
  db: Queries;
  batches: Batches;
  accounts: () => readonly string[];
}

/** When each account was last seen connected, and what came of it, with the verbs of the embedded store: see there. */
export class Downtimes implements DowntimeStore {
  readonly #parts: DowntimesParts;

  constructor(parts: DowntimesParts) {
    this.#parts = parts;
  }

  /** The last connection of each account, as its owner saw it; of one account, or of all that are ours. */
  async connections(account?: string): Promise<Map<string, Connection>> {
    const { db, accounts } = this.#parts;
    const rows = await db.rows<Omit<Connection, "aliveUptimeMs"> & { accountId: string }>(
      `SELECT account_id AS "accountId", gateway_process AS "processId", started_at AS "startedAt", connected_at AS "connectedAt",
         last_inbound_at AS "lastInboundAt", state, alive_at AS "aliveAt" FROM connections
       WHERE account_id = ANY ($1) ORDER BY account_id`,
      account === undefined ? accounts() : [account],
    );
    return new Map(rows.map(({ accountId, ...row }) => [accountId, { ...row, aliveUptimeMs: null }] as const));
  }

  /** Writes the connection and the downtime that it ended, in one transaction: after a crash there are both or neither. */
  async record(accountId: string, connection: Connection, downtime: Downtime | null): Promise<void> {
    await this.#parts.batches.run(RECORD, { accountId, connection, downtime });
  }

  /** The oldest downtime whose alert is not raised yet. */
  async nextToTell(): Promise<RecordedDowntime | null> {
    const [row] = await this.#parts.db.rows<RecordedDowntime>(
      `SELECT ${DOWNTIME} FROM downtimes WHERE account_id = ANY ($1) AND alerted_at IS NULL ORDER BY id LIMIT 1`,
      this.#parts.accounts(),
    );
    return row ?? null;
  }

  /** Its alert was raised; before that it is raised again at each start. */
  async told(id: number): Promise<void> {
    await this.#parts.batches.run(TOLD, { id });
  }

  /** The newest ones, newest first. */
  async latest(count: number): Promise<RecordedDowntime[]> {
    return await this.#parts.db.rows<RecordedDowntime>(
      `SELECT ${DOWNTIME} FROM downtimes WHERE account_id = ANY ($1) ORDER BY id DESC LIMIT $2`,
      ...[this.#parts.accounts(), count],
    );
  }
}

interface Recorded {
  accountId: string;
  connection: Connection;
  downtime: Downtime | null;
}

const RECORD: Verb<Recorded, void> = {
  name: "connection",
  keyOf: ({ accountId }) => `connection ${accountId}`,
  async write(writing, inputs) {
    refuse(inputs, ({ accountId }) => (writing.owns(accountId) ? undefined : new FencedOffError(accountId)));
    await writing.rows(
      `INSERT INTO connections SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
         $7::bigint[])
       ON CONFLICT (account_id) DO UPDATE SET gateway_process = excluded.gateway_process, started_at = excluded.started_at,
         connected_at = excluded.connected_at, last_inbound_at = excluded.last_inbound_at, state = excluded.state,
         alive_at = excluded.alive_at`,
      inputs.map(({ accountId }) => accountId),
      inputs.map(({ connection }) => connection.processId),
      inputs.map(({ connection }) => rounded(connection.startedAt)),
      inputs.map(({ connection }) => rounded(connection.connectedAt)),
      inputs.map(({ connection }) => rounded(connection.lastInboundAt)),
      inputs.map(({ connection }) => connection.state),
      inputs.map(({ connection }) => rounded(connection.aliveAt)),
    );
    for (const { accountId, downtime } of inputs) if (downtime) await writeDowntime(writing, accountId, downtime);
    return inputs.map(() => undefined);
  },
};

async function writeDowntime(writing: Writing, account: string, { from, to, clockJumpMs }: Downtime): Promise<void> {
  const [began, ended] = [rounded(from), Math.round(to)];
  await writing.rows(
    "INSERT INTO downtimes (account_id, from_at, to_at, clock_jump_ms, noticed_at) VALUES ($1, $2, $3, $4, $5)",
    ...[account, began, ended, Math.round(clockJumpMs), writing.now],
  );
  await writing.rows(
    `DELETE FROM downtimes WHERE account_id = $1 AND alerted_at IS NOT NULL AND id <=
       (SELECT id FROM downtimes WHERE account_id = $1 ORDER BY id DESC OFFSET ${KEPT_DOWNTIMES} LIMIT 1)`,
    account,
  );
  writing.tell(eventReport(["downtime", account, began, ended, null], account, writing.now));
}

const TOLD: Verb<{ id: number }, void> = {
  name: "downtime-told",
  keyOf: ({ id }) => `downtime ${id}`,
  async write(writing, inputs) {
    const ids = inputs.map(({ id }) => id);
    const rows = await writing.rows<{ id: number; account_id: string }>(
      `WITH told AS (UPDATE downtimes SET alerted_at = $3 WHERE id = ANY ($2) AND account_id = ANY ($1))
       SELECT id, account_id FROM downtimes WHERE id = ANY ($2)`,
      ...[writing.accounts, ids, writing.now],
    );
    const accounts = new Map(rows.map(({ id, account_id }) => [id, account_id]));
    refuse(inputs, ({ id }) => {
      const account = accounts.get(id);
      return account === undefined || writing.owns(account) ? undefined : new FencedOffError(account);
    });
    return inputs.map(() => undefined);
  },
};

function rounded(at: number | null): number | null {
  return at === null ? null : Math.round(at);
}
