/** A time in which nothing can be written: a full disk, a foreign lock, a broken disk, damage that every message meets. */
export interface Outage {
  /** What could not be written, and SQLite's words and code for why. */
  readonly failure: string;
  /** Wall-clock ms. */
  readonly since: number;
  /** The database is damaged: time alone changes nothing. */
  readonly isDamage: boolean;
  /** Nothing comes back from the database: nothing can be read there either. Never of the embedded one. */
  readonly isAway: boolean;
}

/** Damage of the database that was met. */
export interface Damage {
  /** What could not be read or written last, and SQLite's words and code for why. */
  readonly failure: string;
  /** When the first of it was met, wall-clock ms. */
  readonly since: number;
}
