/** Whether, and how fast, what Hot Bags sends without being asked may go out. */
export interface OutboundLimits {
  /** False: what was taken in before is not sent any more. */
  isOn: boolean;
  /** Commands of the outbox a minute, of one account; 0: no limit. */
  perMinute: number;
}

/** Why a command of the outbox is not sent that was taken in before. */
export const OUTBOUND_OFF = "BRIDGE_OUTBOUND=off: nothing is sent that was not asked for";

/** Spaces out what nobody has asked for, account by account: WhatsApp bans numbers that blast. Times are monotonic ms. */
export class OutboundPace {
  #limits: OutboundLimits;
  readonly #nextAt = new Map<string, number>();

  constructor(limits: OutboundLimits) {
    this.#limits = limits;
  }

  get isOn(): boolean {
    return this.#limits.isOn;
  }

  /** Goes on with other limits. */
  adopt(limits: OutboundLimits): void {
    this.#limits = limits;
    this.#nextAt.clear();
  }

  /** When the account's next one may go; not later than `now` when it may go at once. */
  nextAt(account: string, now: number): number {
    return Math.max(now, this.#nextAt.get(account) ?? now);
  }

  /** One of the account goes now. */
  spend(account: string, now: number): void {
    const { perMinute } = this.#limits;
    if (perMinute > 0) this.#nextAt.set(account, now + 60_000 / perMinute);
  }
}
