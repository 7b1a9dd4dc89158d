import type { Clock } from "../../clock.ts";
import type { Queries } from "./connection.ts";

/** See `ProvenTime` of the embedded store: a jump over a time without any sidecar makes everything older by this, and no more. */
const MAX_AWAY_MS = 24 * 3_600_000;

interface Mark {
  proven_at: number;
  wall_at: number;
}

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

  private constructor(db: Queries, clock: Clock, began: Mark) {
    this.#db = db;
    this.#clock = clock;
    const [wallMs, uptimeMs] = [Math.round(clock.now()), clock.uptimeMs()];
    this.#began = { provenMs: began.proven_at, databaseMs: began.wall_at, wallMs, uptimeMs };
  }

  /** Goes on from what is written down. */
  static async read(db: Queries, clock: Clock): Promise<ProvenTime> {
    const [mark] = await db.rows<{ proven_at: number | null; wall_at: number | null; now: number }>(
      `SELECT proven_at, wall_at, ${DATABASE_MS} AS now FROM (VALUES (1)) AS one (id) LEFT JOIN proven_time USING (id)`,
    );
    const now = mark?.now ?? 0;
    if (mark?.proven_at == null || mark.wall_at == null)
      return new ProvenTime(db, clock, { proven_at: now, wall_at: now });
    const awayMs = Math.min(Math.max(0, now - mark.wall_at), MAX_AWAY_MS);
    return new ProvenTime(db, clock, { proven_at: mark.proven_at + awayMs, wall_at: now });
  }

  /** Ms. */
  now(): number {
    return this.#began.provenMs + this.#elapsedMs;
  }

  /** By how much this machine's wall clock has moved without that time having passed, ms, since this process began. */
  get jumpMs(): number {
    return Math.round(this.#clock.now()) - this.#began.wallMs - this.#elapsedMs;
  }

  /** Writes down how far it is. */
  async note(): Promise<void> {
    await this.#db.rows(
      `INSERT INTO proven_time VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE
       SET proven_at = greatest(proven_time.proven_at, excluded.proven_at),
         wall_at = greatest(proven_time.wall_at, excluded.wall_at)`,
      ...[this.now(), this.#began.databaseMs + this.#elapsedMs],
    );
  }

  get #elapsedMs(): number {
    return Math.round(this.#clock.uptimeMs() - this.#began.uptimeMs);
  }
}
