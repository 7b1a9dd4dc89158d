import type { Clock } from "../clock.ts";
import type { Damage } from "./outage.ts";

/** So long after it was met last, ms, damage is spoken of no more. What fails by it is tried again within a minute. */
const LASTS_MS = 2 * 60_000;

/** Remembers that damage was met, whatever it was. A page that is given up is met no more, so it ends by itself. */
export class DamageRecord {
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #met: (Damage & { uptimeMs: number }) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Null while none is met. */
  get met(): Damage | null {
    if (this.#met === null || this.#clock.uptimeMs() - this.#met.uptimeMs > LASTS_MS) return null;
    const { failure, since } = this.#met;
    return { failure, since };
  }

  /** Told each time that damage is met. Returns how to stop that. */
  onMet(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  note(failure: string): void {
    const since = this.met?.since ?? this.#clock.now();
    this.#met = { failure, since, uptimeMs: this.#clock.uptimeMs() };
    for (const listener of [...this.#listeners]) listener();
  }
}
