/** Observations kept for a sidecar that is away. */
const MAX_OBSERVATIONS = 1_000;

/** What the gateway saw of sends and the sidecar has not been told: help and not record, so the oldest are dropped. */
export class Observations {
  readonly #frames: string[] = [];

  add(frame: string): void {
    this.#frames.push(frame);
    if (this.#frames.length > MAX_OBSERVATIONS) this.#frames.shift();
  }

  take(): string | undefined {
    return this.#frames.shift();
  }
}
