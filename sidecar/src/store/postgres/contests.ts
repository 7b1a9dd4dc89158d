import type { Refused } from "./leases.ts";

/** Two gateways have one account. That is the operator's to change: nobody else knows which of them is meant to have it. */
export class TwoGatewaysError extends Error {
  override readonly name = "TwoGatewaysError";
  readonly account: string;

  constructor(account: string, owner: string, asker: string) {
    super(
      `two gateways have the WhatsApp account ${account}: that of the sidecar ${owner}, which owns it and keeps it, and that of ${asker}, which sends nothing of it. Take it out of one of them.`,
    );
    this.account = account;
  }
}

/** The accounts that two gateways have, each told of once, as long as that lasts. */
export class Contests {
  readonly #tell: (error: TwoGatewaysError) => void;
  readonly #open = new Map<string, TwoGatewaysError>();
  /** What was seen of the leases of others, when they were asked for. */
  readonly #seen = new Map<string, Refused>();

  constructor(tell: (error: TwoGatewaysError) => void) {
    this.#tell = tell;
  }

  /** What lasts. */
  get all(): TwoGatewaysError[] {
    return [...this.#open.values()];
  }

  /**
   * All that were asked for by `asker`, in vain. An owner that stands beside its account may have ended, as the process
   * before this one: that it is there is known by what it has renewed since.
   */
  refused(accounts: readonly Refused[], asker: string): void {
    for (const now of accounts) {
      const before = this.#seen.get(now.account);
      this.#seen.set(now.account, now);
      if (!now.isBeside) this.over(now.account);
      else if (before?.token === now.token && before.endsAt < now.endsAt) this.note(now.account, now.owner, asker);
    }
  }

  note(account: string, owner: string, asker: string): void {
    const error = new TwoGatewaysError(account, owner, asker);
    const isKnown = this.#open.get(account)?.message === error.message;
    this.#open.set(account, error);
    if (!isKnown) this.#tell(error);
  }

  over(account: string): void {
    this.#open.delete(account);
  }
}
