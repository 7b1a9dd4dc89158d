import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import { unlessDamaged } from "./faults.ts";

/**
 * So much of the time between two processes is believed, ms. While no process runs, only the wall clock can tell, and it
 * may have been wrong before or be wrong now: a jump over a restart makes everything older by this, and no more.
 */
const MAX_AWAY_MS = 24 * 3_600_000;

interface Mark {
  proven_at: number;
  wall_at: number;
}

/**
 * The time that has surely passed: ages are counted by it, so that a wall clock that was wrong for a while (1970 before
 * the first answer of a time server, 2036 by a typing error) makes nothing old that is not. Within a process it goes by
 * the monotonic clock. Over a restart it goes on by as much as the wall clock has moved beyond the latest time that it
 * ever showed, up to a day. It begins as the wall clock's time, falls behind it, and is never ahead of it by more than
 * the wall clock was set back.
 */
export class ProvenTime {
  readonly #clock: Clock;
  readonly #write: Database.Statement<[Mark]>;
  readonly #began: Mark & { uptimeMs: number };

  constructor(db: Database.Database, clock: Clock) {
    this.#clock = clock;
    this.#write = db.prepare(
      `INSERT INTO proven_time VALUES (1, @proven_at, @wall_at) ON CONFLICT (id) DO UPDATE
       SET proven_at = max(proven_at, excluded.proven_at), wall_at = max(wall_at, excluded.wall_at)`,
    );
    const wallAt = Math.round(clock.now());
    const mark = lastMark(db) ?? { proven_at: wallAt, wall_at: wallAt };
    const awayMs = Math.min(Math.max(0, wallAt - mark.wall_at), MAX_AWAY_MS);
    this.#began = { proven_at: mark.proven_at + awayMs, wall_at: mark.wall_at + awayMs, uptimeMs: clock.uptimeMs() };
  }

  /** Ms. */
  now(): number {
    return this.#began.proven_at + this.#elapsedMs;
  }

  /**
   * By how much the wall clock has moved without that time having passed, ms: since this process began, or between it
   * and the one before it. Negative: it was set back.
   */
  get jumpMs(): number {
    return Math.round(this.#clock.now()) - this.#began.wall_at - this.#elapsedMs;
  }

  /** Writes down how far it is; belongs inside a commit. After a crash it goes on from there. */
  note(): void {
    this.#write.run({ proven_at: this.now(), wall_at: Math.round(this.#clock.now()) });
  }

  get #elapsedMs(): number {
    return Math.round(this.#clock.uptimeMs() - this.#began.uptimeMs);
  }
}

/** Where there is no mark, or it can't be read, what is known of settled messages stands in for it. */
function lastMark(db: Database.Database): Mark | undefined {
  const mark = () => db.prepare<[], Mark>("SELECT proven_at, wall_at FROM proven_time").get();
  const youngest = () => {
    const sql = `SELECT max(state_since) FROM messages INDEXED BY messages_delivered
      WHERE state = 'delivered' AND has_text = ?`;
    const latest = db.prepare<[0 | 1], number | null>(sql).pluck();
    const since = Math.max(latest.get(0) ?? 0, latest.get(1) ?? 0);
    return since > 0 ? { proven_at: since, wall_at: since } : undefined;
  };
  const unknown = () => undefined;
  return unlessDamaged(mark, unknown) ?? unlessDamaged(youngest, unknown);
}
