import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { Connection, Downtime, DowntimeStore, RecordedDowntime } from "../downtimes.ts";
import { RowContradictedError } from "../errors.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Older ones are forgotten, unless their alert is still to be raised. */
const KEPT_DOWNTIMES = 100;

/** See DowntimeStore. */
export class Downtimes implements DowntimeStore {
  readonly #commit: GroupCommit;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit, clock: Clock) {
    this.#commit = commit;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  async connections(): Promise<Map<string, Connection>> {
    const rows = unlessDamaged(
      () => this.#sql.connections.all(),
      () => [],
    );
    return new Map(rows.map(({ accountId, ...row }) => [accountId, { ...row, aliveUptimeMs: null }] as const));
  }

  record(accountId: string, connection: Connection, downtime: Downtime | null): Promise<void> {
    const { processId, startedAt, connectedAt, lastInboundAt, state, aliveAt } = connection;
    return this.#commit.run("connection", () => {
      this.#sql.connection.run(accountId, processId, startedAt, connectedAt, lastInboundAt, state, Math.round(aliveAt));
      if (downtime === null) return;
      const { from, to, clockJumpMs } = downtime;
      const at = [from === null ? null : Math.round(from), Math.round(to), Math.round(clockJumpMs)] as const;
      this.#sql.downtime.run(accountId, ...at, this.#clock.now());
      this.#sql.forget.run();
    });
  }

  async nextToTell(): Promise<RecordedDowntime | null> {
    return this.#sql.nextToTell.get() ?? null;
  }

  told(id: number): Promise<void> {
    return this.#commit.run("downtime-told", () => {
      // It would be the next to tell again, at once and for ever.
      const isTold = this.#sql.told.run(this.#clock.now(), id).changes === 1;
      if (!isTold && this.#sql.nextToTell.get()?.id === id) throw new RowContradictedError("downtime", id);
    });
  }

  /** The newest ones, newest first; none where they can't be read. */
  latest(count: number): RecordedDowntime[] {
    return unlessDamaged(
      () => this.#sql.latest.all(count),
      () => [],
    );
  }
}

function prepare(db: Database.Database) {
  const downtime = "id, account_id AS accountId, from_at AS 'from', to_at AS 'to', clock_jump_ms AS clockJumpMs";
  return {
    connections: db.prepare<[], Omit<Connection, "aliveUptimeMs"> & { accountId: string }>(
      `SELECT account_id AS accountId, gateway_process AS processId, started_at AS startedAt, connected_at AS connectedAt,
        last_inbound_at AS lastInboundAt, state, alive_at AS aliveAt FROM connections`,
    ),
    connection: db.prepare("INSERT OR REPLACE INTO connections VALUES (?, ?, ?, ?, ?, ?, ?)"),
    downtime: db.prepare(
      "INSERT INTO downtimes (account_id, from_at, to_at, clock_jump_ms, noticed_at) VALUES (?, ?, ?, ?, ?)",
    ),
    forget: db.prepare(
      `DELETE FROM downtimes WHERE alerted_at IS NOT NULL AND id <= (SELECT max(id) FROM downtimes) - ${KEPT_DOWNTIMES}`,
    ),
    nextToTell: db.prepare<[], RecordedDowntime>(
      `SELECT ${downtime} FROM downtimes WHERE alerted_at IS NULL ORDER BY id LIMIT 1`,
    ),
    told: db.prepare<[number, number]>("UPDATE downtimes SET alerted_at = ? WHERE id = ?"),
    latest: db.prepare<[number], RecordedDowntime>(`SELECT ${downtime} FROM downtimes ORDER BY id DESC LIMIT ?`),
  };
}
