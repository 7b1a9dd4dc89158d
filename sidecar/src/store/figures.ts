import type { Tally } from "./tally.ts";

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
export interface FigureReads {
  /** Steps that began from `from` to `to`, s since 1970, in any order. One in which nobody counted is missing. */
  between(step: Step, from: number, to: number): Promise<Figure[]>;
}

/** What passes, minute by minute: at most 3,840 rows, whatever happens. */
export interface FigureStore extends FigureReads {
  /**
   * Writes what passed in a minute, or in a part of it, to its minute and its hour. `at`: in it, s since 1970. `before`:
   * in the minute that this process wrote last; null: this is its first. To a step that goes on it is added; one of the
   * same time that does not, since the clock was set back, is written over. `withdrawn`: steps that began after `at` and up to
   * then are of a clock that was wrong. Rejects when the store can't write.
   */
  add(at: number, tally: Tally, before: number | null, withdrawn: number | null): Promise<void>;
}
