/** An answer within this time, ms, is one that was waited for, and not one of many that are worked on. */
const FAST_MS = 25;

/**
 * How many requests to one peer are under way at once, by how fast it answers: one more with each fast answer, half with
 * a slow one. A peer with the internet before it never answers so fast: what it gets at once is `least`.
 */
export class Width {
  readonly #least: number;
  readonly #most: number;
  #requests: number;

  constructor({ least, most }: { least: number; most: number }) {
    this.#least = least;
    this.#most = most;
    this.#requests = least;
  }

  get requests(): number {
    return this.#requests;
  }

  /** It has done what was asked, and took so long, ms; Infinity: it has not, which no other request is to hurry for. */
  answered(durationMs: number): void {
    const isFast = durationMs <= FAST_MS;
    this.#requests = isFast ? Math.min(this.#most, this.#requests + 1) : Math.max(this.#least, this.#requests >> 1);
  }
}
