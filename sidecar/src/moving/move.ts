import {
  keyOf,
  MOVED_TABLES,
  type MovedTable,
  MoveRefusedError,
  type MovingSource,
  type MovingTarget,
} from "../store/index.ts";
import { type Compared, compareLedgers, compareTable, DifferenceError } from "./compare.ts";
import { pagesOf } from "./rows.ts";

/** Told of each step, with how much of it is done from 0 to 1. */
export type Report = (step: string, part: number) => void;

export interface MoveParts {
  source: MovingSource;
  target: MovingTarget;
  /** Who does it, for the audit. */
  who: string;
  report: Report;
}

/** What was moved. */
export interface Moved {
  from: string;
  to: string;
  /** A move before this one had done all of it, or had only to be ended. */
  wasDone: boolean;
  /** Rows that were there already, of a move that was cut off. */
  resumed: number;
  tables: Compared[];
  /** Attachments that were brought into the folder. */
  files: number;
  /** What both sides count by themselves. */
  ledger: Record<string, string | number>;
}

/**
 * Moves a store from one room into the other, or goes on where that was cut off. Only when all of it was compared is the
 * source none any more, and the target one; in between neither is. Rejects with MoveRefusedError, or StoreUnusableError.
 */
export async function move({ source, target, who, report }: MoveParts): Promise<Moved> {
  const fingerprint = await source.hold(target.name);
  const { stage, written } = await target.begin({ name: source.name, fingerprint });
  const moved: Moved = {
    from: source.name,
    to: target.name,
    wasDone: true,
    resumed: 0,
    tables: [],
    files: 0,
    ledger: {},
  };
  if (stage === "arrived") return moved;
  if (stage === "copying") {
    moved.wasDone = false;
    const counts = new Map<MovedTable, number>();
    for (const table of MOVED_TABLES) counts.set(table, await source.count(table));
    const total = Math.max(
      1,
      [...counts.values()].reduce((sum, rows) => sum + rows, 0),
    );
    let done = 0;
    const step = (name: string) => (rows: number) => {
      done += rows;
      report(name, done / total);
    };
    for (const table of MOVED_TABLES) {
      const before = written.get(table.name) ?? { rows: 0, after: null };
      moved.resumed += before.rows;
      done += before.rows;
      await copyTable({ source, target, table, before, passed: step("copying") });
    }
    done = 0;
    const compared = step("comparing");
    try {
      for (const table of MOVED_TABLES) moved.tables.push(await compareTable([source, target], table, compared));
      moved.ledger = await compareLedgers(source, target);
    } catch (error) {
      if (!(error instanceof DifferenceError)) throw error;
      await target.clear();
      throw new MoveRefusedError(
        `${target.name} is not what ${source.name} is: ${error.message}. What was copied is deleted: run this again, which begins anew. If it says so again, look at both disks`,
      );
    }
  }
  moved.files = await source.bringFiles();
  const provenNow = await source.provenNow();
  const result = `done: all of ${source.name}`;
  await target.arrive({ provenNow, who, result }, () => source.leave(target.name, fingerprint));
  return moved;
}

interface CopyParts extends Pick<MoveParts, "source" | "target"> {
  table: MovedTable;
  before: { rows: number; after: readonly (string | number | Buffer | null)[] | null };
  passed(rows: number): void;
}

async function copyTable({ source, target, table, before, passed }: CopyParts): Promise<void> {
  let { rows } = before;
  for await (const page of pagesOf(source, table, before.after)) {
    rows += page.length;
    const last = page.at(-1);
    await target.put(table, page, { rows, after: last ? keyOf(table, last) : null });
    passed(page.length);
  }
}
