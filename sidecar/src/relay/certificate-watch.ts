import type { Timers } from "../clock.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Has Hot Bags' certificate looked at once a day: where no customer writes, no other connection would show it. */
export class CertificateWatch {
  readonly #look: () => Promise<boolean>;
  readonly #timers: Timers;
  #callOff: (() => void) | undefined;
  #isStopped = false;

  /** `look`: resolves with whether it was shown one. */
  constructor(look: () => Promise<boolean>, timers: Timers) {
    this.#look = look;
    this.#timers = timers;
  }

  /** The first look is now. */
  start(): void {
    void this.#look().then((isSeen) => {
      if (!this.#isStopped) this.#callOff = this.#timers.after(isSeen ? DAY_MS : HOUR_MS, () => this.start());
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#callOff?.();
  }
}
