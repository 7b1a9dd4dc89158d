/** How many of the latest captures the figures are about. */
const KEPT = 1_000;

export type HookTimes = { captures: number; p50_ms: number; p95_ms: number; max_ms: number };

/**
 * How long our own capture hook took, for the latest messages. It is time that OpenClaw waits for us, so it is measured
 * where it is spent.
 */
export class HookClock {
  readonly #latest = new Float64Array(KEPT);
  #count = 0;

  /** Takes one duration, in milliseconds. */
  add(tookMs: number): void {
    this.#latest[this.#count % KEPT] = tookMs;
    this.#count += 1;
  }

  /** Percentiles (nearest rank) over the latest captures, `captures` many; null before the first. */
  read(): HookTimes | null {
    const captures = Math.min(this.#count, KEPT);
    if (captures === 0) return null;
    const sorted = this.#latest.slice(0, captures).sort();
    const at = (share: number) => rounded(sorted[Math.ceil(share * captures) - 1] ?? 0);
    return { captures, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1) };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
