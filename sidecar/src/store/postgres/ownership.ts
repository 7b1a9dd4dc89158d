import { every, type Timers } from "../../clock.ts";
import type { Lease, Leases } from "./lease.ts";

export interface OwnershipOptions {
  leases: Leases;
  timers: Timers;
  /** Those that this sidecar would own. */
  accounts: readonly string[];
  renewMs: number;
  /** How often it is asked for what another one owns. */
  askMs: number;
  /** The database did not answer: to be told as any other outage. */
  failed: (error: unknown) => void;
}

/**
 * Takes accounts, keeps them, and tells of both. An account is owned from `onOwned` to `onLost`; in an outage it stays
 * so, since nobody can say anything else, and nothing of it can be written or sent.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #held = new Map<string, Lease>();
  readonly #owned = new Set<(account: string) => void>();
  readonly #lost = new Set<(account: string) => void>();
  #stops: (() => void)[] = [];
  #isAsking = false;
  #isRenewing = false;
  #isClosed = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
  }

  /** Asks for all accounts now, and from then on by the timers. Resolves when each was asked for once. */
  async start(): Promise<void> {
    const { timers, renewMs, askMs } = this.#options;
    await this.ask();
    if (this.#isClosed) return;
    this.#stops = [every(timers, renewMs, () => void this.renew()), every(timers, askMs, () => void this.ask())];
  }

  /** Those that are ours as far as we know; what is written asks the database. */
  get leases(): Lease[] {
    return [...this.#held.values()];
  }

  /** See Leases.isFresh. */
  isFresh(account: string): boolean {
    const lease = this.#held.get(account);
    return lease !== undefined && this.#options.leases.isFresh(lease);
  }

  /** Told of each account that is ours from now on, and at once of those that are. Returns how to stop that. */
  onOwned(listener: (account: string) => void): () => void {
    this.#owned.add(listener);
    for (const account of this.#held.keys()) listener(account);
    return () => this.#owned.delete(listener);
  }

  /** Told of each that is ours no more. Returns how to stop that. */
  onLost(listener: (account: string) => void): () => void {
    this.#lost.add(listener);
    return () => this.#lost.delete(listener);
  }

  /** A transaction was told that these are not ours, as they were when it began. */
  fencedOff(leases: readonly Lease[]): void {
    for (const { account, token } of leases) {
      if (this.#held.get(account)?.token !== token) continue;
      this.#held.delete(account);
      for (const listener of [...this.#lost]) listener(account);
    }
  }

  /** Asks for what is not ours. */
  async ask(): Promise<void> {
    if (this.#isAsking || this.#isClosed) return;
    this.#isAsking = true;
    try {
      for (const account of this.#options.accounts) {
        if (this.#held.has(account)) continue;
        const lease = await this.#options.leases.acquire(account);
        if (!lease) continue;
        if (this.#isClosed) return void (await this.#options.leases.release(lease));
        this.#held.set(account, lease);
        for (const listener of [...this.#owned]) listener(account);
      }
    } catch (error) {
      this.#options.failed(error);
    } finally {
      this.#isAsking = false;
    }
  }

  /** Renews what is ours. */
  async renew(): Promise<void> {
    if (this.#isRenewing || this.#held.size === 0) return;
    this.#isRenewing = true;
    try {
      this.fencedOff(await this.#options.leases.renew(this.leases));
    } catch (error) {
      this.#options.failed(error);
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Gives all back, so that another sidecar need not wait. Nothing may be written any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    const leases = this.leases;
    this.#held.clear();
    // Where the database is away, they end by themselves.
    for (const lease of leases) await this.#options.leases.release(lease).catch(() => {});
  }
}
