import type Database from "better-sqlite3";
import type { FigureStore } from "../figures.ts";
import { beginOf, type Figure, RINGS, STEPS, type Step } from "../figures.ts";
import { addTally, readTally, type Tally, writeTally } from "../tally.ts";
import { unlessDamaged } from "./faults.ts";
import type { GroupCommit } from "./group-commit.ts";

/** See FigureReads. */
export class FigureReads implements FigureReads {
  readonly #between: Database.Statement<number[], { at: number; tally: string }>;

  constructor(db: Database.Database) {
    this.#between = db.prepare("SELECT at, tally FROM figures WHERE place >= ? AND place < ? AND at >= ? AND at <= ?");
  }

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

/** See FigureStore. */
export class FigureRecords extends FigureReads implements FigureStore {
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, commit: GroupCommit) {
    super(db);
    this.#commit = commit;
    this.#sql = prepare(db);
  }

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
