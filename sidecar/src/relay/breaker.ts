import { type Backoff, backoffMs } from "@hotbags/shared";

export type Permission = "go" | "probe" | "wait";

/**
 * Stands between the lanes and a backend that is down. Closed: everything goes. Open: nothing goes but one probe at a time,
 * after a wait that doubles. It closes with the first success. Times are monotonic ms.
 */
export class Breaker {
  readonly #threshold: number;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  #failures = 0;
  #openings = 0;
  #probeAt: number | null = null;
  #probing = false;

  /** Opens after `threshold` failures in a row. */
  constructor(threshold: number, backoff: Backoff, random: () => number) {
    this.#threshold = threshold;
    this.#backoff = backoff;
    this.#random = random;
  }

  get open(): boolean {
    return this.#probeAt !== null;
  }

  /** When the next probe may go; `undefined` when closed, or while a probe is out. */
  get probeAt(): number | undefined {
    return this.#probing ? undefined : (this.#probeAt ?? undefined);
  }

  /**
   * Asks to send something now. After `probe` the answer must be told with `succeeded` or `failed`, or with `forgo`
   * that there was none.
   */
  ask(now: number): Permission {
    if (this.#probeAt === null) return "go";
    if (this.#probing || now < this.#probeAt) return "wait";
    this.#probing = true;
    return "probe";
  }

  /** The probe came to no POST: another one may go at once. */
  forgo(): void {
    this.#probing = false;
  }

  /** The backend answered. Returns true when that closed the breaker. */
  succeeded(): boolean {
    const closed = this.#probeAt !== null;
    this.#failures = 0;
    this.#openings = 0;
    this.#probeAt = null;
    this.#probing = false;
    return closed;
  }

  /**
   * The backend failed. `waitMs`: it asked for that long. `atOnce`: no need to count, every message would fail. Returns true when that opened the breaker.
   * What was under way when the breaker opened and fails too changes nothing.
   */
  failed(
    now: number,
    { probe, waitMs, atOnce }: { probe: boolean; waitMs?: number | undefined; atOnce?: boolean | undefined },
  ): boolean {
    this.#failures += 1;
    const opens =
      this.#probeAt === null && (atOnce === true || waitMs !== undefined || this.#failures >= this.#threshold);
    if (opens || probe) {
      this.#openings += 1;
      this.#probing = false;
      this.#probeAt = now + (waitMs ?? backoffMs(this.#backoff, this.#openings, this.#random));
    }
    return opens;
  }
}
