import type { Clock } from "../../clock.ts";
import type { Queries } from "./connection.ts";
import { type LastSeen, refuseRewound } from "./rewound.ts";

/** See `ProvenTime` of the embedded store: a jump over a time without any sidecar makes everything older by this, and no more. */
const MAX_AWAY_MS = 24 * 3_600_000;

interface Mark {
  proven_at: number;
  wall_at: number;
}

/** What was noted must not be taken back by a crash of the server: it would look as if it had been put back. */
const DURABLE = `SELECT set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)`;

/** The database's clock, ms since the epoch. */
const DATABASE_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/**
 * The time that has surely passed, as in the embedded store, and one for all sidecars of a database: each goes by its own
 * monotonic clock from where the database's clock says that it begins. So a sidecar's wall clock makes nothing old, and a
 * wait that one has written down is over for another at the same time.
 */
export class ProvenTime {
  readonly #db: Queries;
  readonly #clock: Clock;
  readonly #began: { provenMs: number; databaseMs: number; wallMs: number; uptimeMs: number };
  readonly #lastSeen: LastSeen | undefined;
  #seenAt = 0;

  private constructor(db: Queries, clock: Clock, began: Mark, lastSeen?: LastSeen) {
    this.#db = db;
    this.#clock = clock;
    this.#lastSeen = lastSeen;
    const [wallMs, uptimeMs] = [Math.round(clock.now()), clock.uptimeMs()];
    this.#began = { provenMs: began.proven_at, databaseMs: began.wall_at, wallMs, uptimeMs };
  }

  /** Goes on from what is written down. Throws RewoundError where this machine has seen it later than that. */
  static async read(db: Queries, clock: Clock, lastSeen?: LastSeen): Promise<ProvenTime> {
    const [mark] = await db.rows<{ proven_at: number | null; wall_at: number | null; now: number }>(
      `SELECT proven_at, wall_at, ${DATABASE_MS} AS now FROM (VALUES (1)) AS one (id) LEFT JOIN proven_time USING (id)`,
    );
    const now = mark?.now ?? 0;
    if (mark?.proven_at == null || mark.wall_at == null)
      return new ProvenTime(db, clock, { proven_at: now, wall_at: now }, lastSeen);
    refuseRewound(mark.wall_at, (await lastSeen?.read()) ?? 0);
    const awayMs = Math.min(Math.max(0, now - mark.wall_at), MAX_AWAY_MS);
    return new ProvenTime(db, clock, { proven_at: mark.proven_at + awayMs, wall_at: now }, lastSeen);
  }

  /** Ms. */
  now(): number {
    return this.#began.provenMs + this.#elapsedMs;
  }

  /** By how much this machine's wall clock has moved without that time having passed, ms, since this process began. */
  get jumpMs(): number {
    return Math.round(this.#clock.now()) - this.#began.wallMs - this.#elapsedMs;
  }

  /** Until when this sidecar surely has used the database, by that one's clock, ms: as of before it can't be any more. */
  get seenAt(): number {
    return this.#seenAt;
  }

  /** Writes down how far it is. Throws RewoundError, with nothing written, where the database was put back meanwhile. */
  async note(): Promise<void> {
    const wallAt = this.#began.databaseMs + this.#elapsedMs;
    const noted = await this.#db.rows(
      `INSERT INTO proven_time SELECT 1, $1::bigint, $2::bigint FROM (${DURABLE}) AS durable ON CONFLICT (id) DO UPDATE
       SET proven_at = greatest(proven_time.proven_at, excluded.proven_at),
         wall_at = greatest(proven_time.wall_at, excluded.wall_at)
       WHERE proven_time.wall_at >= $3 RETURNING 1`,
      ...[this.now(), wallAt, this.#seenAt],
    );
    if (noted.length === 0) {
      const [mark] = await this.#db.rows<{ wall_at: number }>("SELECT wall_at FROM proven_time");
      // Where that passes it was said to be restored in between, and is noted the next time.
      return refuseRewound(mark?.wall_at ?? null, this.#seenAt);
    }
    this.#seenAt = Math.max(this.#seenAt, wallAt);
    await this.#lastSeen?.note(this.#seenAt);
  }

  get #elapsedMs(): number {
    return Math.round(this.#clock.uptimeMs() - this.#began.uptimeMs);
  }
}
