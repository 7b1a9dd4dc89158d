import type Database from "better-sqlite3";
import { unlessDamaged } from "./faults.ts";

/**
 * The time that restored backups have lost: what was written by a customer before its end may have been taken in,
 * answered and replied to, and forgotten with the database that was lost.
 */
export class LostTime {
  /** Wall-clock ms. */
  readonly #until: number;

  constructor(db: Database.Database) {
    const latest = db.prepare<[], { until: number | null }>("SELECT max(lost_until) AS until FROM restores");
    // A table of a few rows that can't be read tells nothing, so all may be in it.
    const row = unlessDamaged(
      () => latest.get(),
      () => ({ until: Number.POSITIVE_INFINITY }),
    );
    this.#until = row?.until ?? Number.NEGATIVE_INFINITY;
  }

  /** A backup was restored here. */
  get isAny(): boolean {
    return this.#until > Number.NEGATIVE_INFINITY;
  }

  /** Whether what a customer wrote then may have been answered in it. `timestamp`: WhatsApp's, ISO 8601. */
  covers(timestamp: string): boolean {
    return Date.parse(timestamp) <= this.#until;
  }
}
