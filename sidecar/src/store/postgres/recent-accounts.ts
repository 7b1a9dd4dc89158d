/** More are not remembered. */
const MAX = 10_000;

/**
 * Whose the rows are that were read last, by their number: what is written of one locks the lease of its account alone, and
 * not those of all that are ours. It never changes whose a row is. Of one that is not remembered all are locked.
 */
export class RecentAccounts {
  readonly #accounts = new Map<number, string>();

  remember(id: number, account: string): void {
    this.#accounts.delete(id);
    this.#accounts.set(id, account);
    if (this.#accounts.size <= MAX) return;
    const [oldest] = this.#accounts.keys();
    if (oldest !== undefined) this.#accounts.delete(oldest);
  }

  /** As an option of a call: see CallOptions. */
  of(id: number): { account?: string } {
    const account = this.#accounts.get(id);
    return account === undefined ? {} : { account };
  }
}
