import {
  addTally,
  beginOf,
  emptyTally,
  type Figure,
  type FigureReads,
  type Hop,
  type Step,
  type Tally,
} from "../store/index.ts";
import { percentile } from "./durations.ts";

/** What is read for a range, and how many points of how many seconds it has: at most 400. */
const RANGES = {
  hour: { step: 60, points: 60, pointS: 60 },
  day: { step: 60, points: 288, pointS: 300 },
  week: { step: 3_600, points: 168, pointS: 3_600 },
  month: { step: 3_600, points: 360, pointS: 7_200 },
} as const satisfies Record<string, { step: Step; points: number; pointS: number }>;

export type Range = keyof typeof RANGES;

/** The minute that is not written down yet. */
export interface Running extends Figure {
  /** To what is written of that minute already it is to be added; else that is of another time that the clock showed. */
  readonly goesOn: boolean;
}

/**
 * What passed in the range that ends now (wall-clock ms), point by point, the last of which still runs, and in all. Null:
 * nobody counted then; of a percentile also that there was nothing to measure.
 */
export async function readSeries(
  figures: Pick<FigureReads, "between">,
  range: Range,
  now: number,
  running: Running | null = null,
) {
  const { at, pointS, tallies, total } = await gather(figures, range, now / 1_000, running);
  const each = <Value>(read: (tally: Tally) => Value) => tallies.map((tally) => (tally === null ? null : read(tally)));
  const kinds = Object.keys(total?.failures ?? {}).sort();
  return {
    from: new Date((at[0] ?? 0) * 1_000).toISOString(),
    step_s: pointS,
    at,
    messages_in: each(({ messagesIn }) => messagesIn),
    replies_out: each(({ repliesOut }) => repliesOut),
    failures: Object.fromEntries(kinds.map((kind) => [kind, each(({ failures }) => failures[kind] ?? 0)])),
    waiting: each(({ waiting }) => waiting),
    replies_waiting: each(({ repliesWaiting }) => repliesWaiting),
    hops: ofHops((hop) => ofParts((part) => each(({ hops }) => percentile(hops[hop], part)))),
    total: total && describeTotal(total),
  };
}

async function gather(figures: Pick<FigureReads, "between">, range: Range, now: number, running: Running | null) {
  const { step, points, pointS } = RANGES[range];
  const last = beginOf(now, pointS);
  const first = last - (points - 1) * pointS;
  const at = Array.from({ length: points }, (_, n) => first + n * pointS);
  const tallies: (Tally | null)[] = at.map(() => null);
  const isOther = step === 60 && running?.goesOn === false;
  const written = (await figures.between(step, first, now)).filter((figure) => !isOther || figure.at !== running.at);
  const total = emptyTally();
  for (const figure of running === null ? written : [...written, running]) {
    const point = (beginOf(figure.at, pointS) - first) / pointS;
    if (!(point in tallies)) continue;
    tallies[point] ??= emptyTally();
    addTally(tallies[point], figure.tally);
    addTally(total, figure.tally);
  }
  return { at, pointS, tallies, total: tallies.some((tally) => tally !== null) ? total : null };
}

function describeTotal({ messagesIn, repliesOut, failures, waiting, repliesWaiting, hops }: Tally) {
  return {
    ...{ messages_in: messagesIn, replies_out: repliesOut, failures, waiting, replies_waiting: repliesWaiting },
    hops: ofHops((hop) => ofParts((part) => percentile(hops[hop], part))),
  };
}

function ofHops<Value>(read: (hop: Hop) => Value): Record<Hop, Value> {
  return { capture: read("capture"), hotbags: read("hotbags"), reply: read("reply"), whole: read("whole") };
}

function ofParts<Value>(read: (part: number) => Value) {
  return { p50_ms: read(0.5), p95_ms: read(0.95) };
}
