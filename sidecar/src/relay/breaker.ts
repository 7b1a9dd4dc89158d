import { type Backoff, steadyBackoffMs } from "@hotbags/shared";

export type Permission = "go" | "probe" | "wait";

/**
 * Stands between the lanes and a backend that is down. Closed: everything goes. Open: nothing goes but one probe at a
 * time, after a wait that doubles. It is opened and closed by whoever judges the evidence. Times are monotonic ms.
 */
export class Breaker {
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #openings = 0;
  #failedProbes = 0;
  /** When a probe may go; null: closed. */
  #probeAt: number | null = null;

  constructor(backoff: Backoff, random: () => number) {
    this.#backoff = backoff;
    this.#random = random;
  }

  get open(): boolean {
    return this.#probeAt !== null;
  }

  /** How often it has been opened: a POST that began before the last time tells nothing of now. */
  get openings(): number {
    return this.#openings;
  }

  /** When the next probe may go; `undefined` when closed. */
  get probeAt(): number | undefined {
    return this.#probeAt ?? undefined;
  }

  /**
   * Asks to send something now. A probe that is out keeps others back, but not for longer than the longest wait: one
   * that hangs must not decide when all the others may ask again.
   */
  ask(now: number): Permission {
    if (this.#probeAt === null) return "go";
    if (now < this.#probeAt) return "wait";
    this.#probeAt = now + this.#backoff.maxMs;
    return "probe";
  }

  /** The probe came to no POST: another one may go at once. */
  forgo(now: number): void {
    if (this.#probeAt !== null) this.#probeAt = now;
  }

  /** Nothing may go for a while, and at least for `waitMs` where the backend asked for that. */
  trip(now: number, waitMs = 0): void {
    this.#openings += 1;
    this.#failedProbes = 0;
    this.#wait(now, waitMs);
  }

  /** A probe failed. */
  failed(now: number, waitMs = 0): void {
    this.#failedProbes += 1;
    this.#wait(now, waitMs);
  }

  close(): void {
    this.#probeAt = null;
  }

  #wait(now: number, waitMs: number): void {
    this.#probeAt = now + Math.max(waitMs, steadyBackoffMs(this.#backoff, this.#failedProbes + 1, this.#random));
  }
}
