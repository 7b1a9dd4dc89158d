import type { Logger } from "pino";

/** Which one of a secret's two. */
export type Which = "new" | "previous";

/** Wall-clock ms; null: not since the settings were read. */
export interface RotationStatus {
  /** What was accepted last. */
  accepted: Which | null;
  newAt: number | null;
  previousAt: number | null;
}

/** A secret of which two are valid, while it is replaced. */
interface RotatingSecret {
  /** The setting's name. */
  setting: string;
  /** Who has to know the new one before the previous one can go. */
  who: string;
}

/**
 * Follows which of two secrets the other side goes by, so that the operator knows when the previous one can be
 * removed. A line in the log tells each change.
 */
export class Rotation {
  readonly #secret: RotatingSecret;
  readonly #log: Logger;
  #hasPrevious = false;
  #status: RotationStatus = { accepted: null, newAt: null, previousAt: null };

  constructor(secret: RotatingSecret, log: Logger) {
    this.#secret = secret;
    this.#log = log;
  }

  /** Null while there is only one. */
  get status(): RotationStatus | null {
    return this.#hasPrevious ? this.#status : null;
  }

  /** The secrets are others now: what was accepted before says nothing of them. */
  begin(hasPrevious: boolean): void {
    this.#hasPrevious = hasPrevious;
    this.#status = { accepted: null, newAt: null, previousAt: null };
  }

  /** The other side has accepted, or shown, this one. */
  accepted(which: Which): void {
    if (!this.#hasPrevious) return;
    const isChange = this.#status.accepted !== which;
    const at = which === "new" ? { newAt: Date.now() } : { previousAt: Date.now() };
    this.#status = { ...this.#status, ...at, accepted: which };
    if (!isChange) return;
    const { setting, who } = this.#secret;
    if (which === "new") this.#log.info(`${who} goes by the new ${setting}: ${setting}_PREVIOUS can be removed`);
    else this.#log.warn(`${who} goes by ${setting}_PREVIOUS still, and does not know the new ${setting} yet`);
  }
}
