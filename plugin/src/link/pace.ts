/**
 * How fast messages go to a sidecar that can't take any. A message that is refused rests with its chat alone. Two
 * refusals with nothing taken between them are the sidecar's trouble: then one message at a time is tried, and all rest
 * before each, until one is taken.
 */
export class Pace {
  readonly #restMs: number;
  #wasRefused = false;
  #isTrying = false;
  #restUntilMs = 0;

  constructor(restMs: number) {
    this.#restMs = restMs;
  }

  /** When the next one may be tried, ms; undefined if there is nothing to wait for. */
  get restsUntilMs(): number | undefined {
    return this.#isTrying ? this.#restUntilMs : undefined;
  }

  /** True if a message may go, while so many have no answer. */
  allows(unanswered: number, nowMs: number): boolean {
    return !this.#isTrying || (unanswered === 0 && nowMs >= this.#restUntilMs);
  }

  taken(): void {
    this.#wasRefused = false;
    this.#isTrying = false;
  }

  refused(nowMs: number): void {
    this.#isTrying ||= this.#wasRefused;
    this.#wasRefused = true;
    this.#restUntilMs = nowMs + this.#restMs;
  }
}
