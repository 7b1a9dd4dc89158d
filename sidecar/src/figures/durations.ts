import type { Durations } from "../store/index.ts";

/**
 * Each bucket reaches a tenth further than the one before it: what is said of a duration is its bucket's geometric
 * middle, which is at most 4.9 % from it. Buckets can be added up over any time, and percentiles read from the sum; of
 * percentiles themselves nothing can be said of a longer time.
 */
const GROWTH = 1.1;

/** What took a day or longer is in the last one. */
const LAST = Math.floor(Math.log(24 * 3_600_000) / Math.log(GROWTH));

/** The first one reaches from 0 to 1.1 ms. */
function bucketOf(ms: number): number {
  return ms < GROWTH ? 0 : Math.min(LAST, Math.floor(Math.log(ms) / Math.log(GROWTH)));
}

/** Counts one that took so long, ms. */
export function addDuration(durations: Durations, ms: number): void {
  const bucket = bucketOf(ms);
  durations[bucket] = (durations[bucket] ?? 0) + 1;
}

/** So long, ms, took this part of them at most (0.95: 95 of 100); null: there were none. At most 4.9 % wrong, or 1 ms. */
export function percentile(durations: Durations, part: number): number | null {
  const all = durations.reduce((sum, count) => sum + count, 0);
  let left = Math.max(1, Math.ceil(all * part));
  for (const [bucket, count = 0] of durations.entries()) {
    left -= count;
    if (left <= 0) return Math.round(GROWTH ** (bucket + 0.5));
  }
  return null;
}
