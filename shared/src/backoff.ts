/** Waits that double from `baseMs` up to `maxMs`. */
export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/**
 * The wait before the next attempt, ms, after `failures` failures in a row (1 or more): full jitter, that is,
 * anything between 0 and the doubled bound, so that what failed together does not come back together. `random` gives
 * [0, 1); without it the wait is the bound itself, for what is alone in waiting.
 */
export function backoffMs({ baseMs, maxMs }: Backoff, failures: number, random?: () => number): number {
  // 2 ** 30 is past any bound; without the cap on the exponent the product overflows into Infinity * 0 = NaN.
  const bound = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return random ? Math.floor(random() * bound) : bound;
}

/**
 * The same, but never less than half of the doubled bound: for what must not be asked more often than a known number
 * of times a minute, whatever chance says.
 */
export function steadyBackoffMs(backoff: Backoff, failures: number, random: () => number): number {
  const half = backoffMs(backoff, failures) / 2;
  return Math.floor(half + random() * half);
}
