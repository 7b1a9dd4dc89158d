import type Database from "better-sqlite3";
import type { Clock } from "../clock.ts";
import { RowContradictedError, unlessDamaged } from "./errors.ts";
import type { GroupCommit } from "./group-commit.ts";

/** Older ones are forgotten, unless their alert is still to be raised. */
const KEPT_DOWNTIMES = 100;

/** An account's last connection to WhatsApp, as far as it was seen. */
export interface Connection {
  readonly processId: string | null;
  readonly startedAt: number | null;
  readonly connectedAt: number | null;
  readonly lastInboundAt: number | null;
  /** `up` until it is seen broken. */
  readonly state: "up" | "lost" | "taken";
  /** Until when it surely carried messages, ms since 1970. */
  readonly aliveAt: number;
  /** The same by the clock that never jumps; null when it was another process of the sidecar that saw it. */
  readonly aliveUptimeMs: number | null;
}

/** A time from which messages may be missing. */
export interface Downtime {
  /** Null: the clock was set back while nobody looked, so that the beginning isn't known. */
  readonly from: number | null;
  readonly to: number;
  /** By how much the machine's clock went forward without time passing: a pause, a sleep, or a corrected clock. */
  readonly clockJumpMs: number;
}

export interface RecordedDowntime extends Downtime {
  /** Never used twice. */
  readonly id: number;
  readonly accountId: string;
}

/** When each account was last seen connected, and what came of it. */
export class Downtimes {
  readonly #commit: GroupCommit;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit, clock: Clock) {
    this.#commit = commit;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  /** The last connection of each account, as an earlier process of the sidecar saw it; none where they can't be read. */
  async connections(): Promise<Map<string, Connection>> {
    const rows = unlessDamaged(
      () => this.#sql.connections.all(),
      () => [],
    );
    return new Map(rows.map(({ accountId, ...row }) => [accountId, { ...row, aliveUptimeMs: null }] as const));
  }

  /** Writes the connection and the downtime that it ended, in one transaction: after a crash there are both or neither. */
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

  /** The oldest downtime whose alert is not raised yet. */
  async nextToTell(): Promise<RecordedDowntime | null> {
    return this.#sql.nextToTell.get() ?? null;
  }

  /** Its alert was raised; before that it is raised again at each start. */
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
