/**
 * Exponential backoff with full jitter: any time between nothing and the doubled ceiling, so that many peers never come
 * back in step.
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random: () => number): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
}
