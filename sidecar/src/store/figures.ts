import type Database from "better-sqlite3";
import { unlessDamaged } from "./errors.ts";
import type { GroupCommit } from "./group-commit.ts";
import { addTally, readTally, type Tally, writeTally } from "./tally.ts";

/** The steps that are kept, by their seconds: minutes for two days, hours for 40. */
export const RINGS = { 60: { first: 0, length: 2_880 }, 3600: { first: 2_880, length: 960 } } as const;
export type Step = keyof typeof RINGS;
export const STEPS = [60, 3_600] as const satisfies readonly Step[];

/** What passed in a step. */
export interface Figure {
  /** When it began, s since 1970. */
  readonly at: number;
  readonly tally: Tally;
}

/** The beginning of the step that this time is in, s since 1970. */
export function beginOf(at: number, step: number): number {
  return Math.floor(at / step) * step;
}

/** What passed, as it was written down. What can't be read is not known. */
export class FigureReads {
  readonly #between: Database.Statement<number[], { at: number; tally: string }>;

  constructor(db: Database.Database) {
    this.#between = db.prepare("SELECT at, tally FROM figures WHERE place >= ? AND place < ? AND at >= ? AND at <= ?");
  }

  /** Steps that began from `from` to `to`, s since 1970, in any order. One in which nobody counted is missing. */
  async between(step: Step, from: number, to: number): Promise<Figure[]> {
    const { first, length } = RINGS[step];
    const rows = unlessDamaged(
      () => this.#between.all(first, first + length, from, to),
      () => [],
    );
    return rows.flatMap(({ at, tally }) => {
      const read = readTally(tally);
      return read === null ? [] : [{ at, tally: read }];
    });
  }
}

/** What passes, minute by minute: at most 3,840 rows, whatever happens. */
export class FigureRecords extends FigureReads {
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit) {
    super(db);
    this.#commit = commit;
    this.#sql = prepare(db);
  }

  /**
   * Writes what passed in a minute, or in a part of it, to its minute and its hour. `at`: in it, s since 1970. `before`:
   * in the minute that this process wrote last; null: this is its first. To a step that goes on it is added; one of the
   * same time that does not, since the clock was set back, is written over. `withdrawn`: steps that began after `at` and up to
   * then are of a clock that was wrong. Rejects when the store can't write.
   */
  add(at: number, tally: Tally, before: number | null, withdrawn: number | null): Promise<void> {
    return this.#commit.run("figures", () => {
      if (withdrawn !== null) this.#sql.withdraw.run(at, withdrawn);
      for (const step of STEPS) {
        const begin = beginOf(at, step);
        const place = RINGS[step].first + ((begin / step) % RINGS[step].length);
        const goesOn = before === null || beginOf(before, step) === begin;
        const whole = goesOn ? this.#with(place, begin, tally) : tally;
        this.#sql.put.run(place, begin, writeTally(whole));
      }
    });
  }

  #with(place: number, begin: number, tally: Tally): Tally {
    const row = this.#sql.at.get(place);
    const whole = row?.at === begin ? readTally(row.tally) : null;
    if (whole === null) return tally;
    addTally(whole, tally);
    return whole;
  }
}

function prepare(db: Database.Database) {
  return {
    at: db.prepare<[number], { at: number; tally: string }>("SELECT at, tally FROM figures WHERE place = ?"),
    put: db.prepare<[number, number, string]>("INSERT OR REPLACE INTO figures VALUES (?, ?, ?)"),
    withdraw: db.prepare<[number, number]>("DELETE FROM figures WHERE place >= 0 AND at > ? AND at <= ?"),
  };
}
