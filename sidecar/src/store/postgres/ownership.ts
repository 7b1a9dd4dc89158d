import { accountId } from "@hotbags/shared";
import { every, type Timers } from "../../clock.ts";
import { Contests, type TwoGatewaysError } from "./contests.ts";
import { FLEET, type Lease } from "./lease.ts";
import type { Leases, Taken } from "./leases.ts";

export interface OwnershipOptions {
  leases: Leases;
  timers: Timers;
  /** Names this sidecar for people. */
  owner: string;
  /** Those that this sidecar stands beside from the beginning; see `want`. Throws where one is no account's name. */
  accounts: readonly string[];
  renewMs: number;
  /** How often it is asked for what another one owns. */
  askMs: number;
  /** The database did not answer: to be told as any other outage. */
  failed: (error: unknown) => void;
  /** What is to be known of accounts that were just taken, before anybody can write of them. Never rejects. */
  before?: ((accounts: readonly string[]) => Promise<void>) | undefined;
  /** Told once of each account that two gateways have. */
  contested?: ((error: TwoGatewaysError) => void) | undefined;
}

type Listener<Result> = (account: string) => Result;

/**
 * Takes accounts, keeps them, and tells of that. An account is owned from `onOwned` to `onLost`; in an outage it stays
 * so, since nobody can say anything else, and nothing of it can be written or sent.
 *
 * What a sidecar stands beside, since its own gateway has it, is asked for until it is owned. What it does not stand beside
 * it takes over where nobody else does, to bring Hot Bags what waits; it sends nothing of that, and gives it back to
 * whoever stands beside it.
 */
export class Ownership {
  readonly #options: OwnershipOptions;
  readonly #held = new Map<string, Lease>();
  readonly #beside = new Set<string>();
  /** Of those that are held: they are being given back. */
  readonly #leaving = new Set<string>();
  readonly #owned = new Set<Listener<void>>();
  readonly #besideNow = new Set<Listener<void>>();
  readonly #leave = new Set<Listener<Promise<void>>>();
  readonly #lost = new Set<Listener<void>>();
  readonly #touchedNow = new Set<Listener<void>>();
  readonly #leadsNow = new Set<(leads: boolean) => void>();
  /** By account of ours: how often others had written something of it, as far as we have looked. */
  readonly #touched = new Map<string, number>();
  readonly #contests: Contests;
  readonly #closing = Promise.withResolvers<void>();
  #stops: (() => void)[] = [];
  #asking: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isRenewing = false;
  #isRetired = false;
  #isClosed = false;

  constructor(options: OwnershipOptions) {
    this.#options = options;
    this.#contests = new Contests((error) => options.contested?.(error));
    for (const account of options.accounts) this.#beside.add(account === FLEET ? FLEET : accountName(account));
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

  /** Those of ours that something may be begun of: none that is being given back. */
  get accounts(): string[] {
    return [...this.#held.keys()].filter((account) => !this.#leaving.has(account));
  }

  /** Of these, the accounts that this sidecar stands beside: what is to be sent is theirs. */
  get besideOurs(): string[] {
    return [...this.#held.keys()].filter((account) => this.isBeside(account));
  }

  isBeside(account: string): boolean {
    return this.#beside.has(account);
  }

  /** Accounts that two gateways have. */
  get contested(): TwoGatewaysError[] {
    return this.#contests.all;
  }

  owns(account: string): boolean {
    return this.#held.has(account);
  }

  /** See Leases.isFresh. */
  isFresh(account: string): boolean {
    const lease = this.#held.get(account);
    return lease !== undefined && this.#options.leases.isFresh(lease);
  }

  /**
   * This sidecar's own gateway has the account, or has it no more. The first makes it wanted at once, and the other leaves
   * it to whoever asks for it. Throws where that is no account's name.
   */
  want(account: string, { beside }: { beside: boolean }): void {
    const name = accountName(account);
    if (!beside) return this.#standsAsideOf(name);
    if (this.#beside.has(name)) return;
    this.#beside.add(name);
    if (!this.#held.has(name)) void this.ask();
    // One that is being given back is asked for when it is lost.
    else if (!this.#leaving.has(name)) tell(this.#besideNow, name);
  }

  /** A message of the account was handed in: that is our own gateway's. What is no account's name is refused elsewhere. */
  came(account: string): void {
    if (this.#held.has(account) && this.#beside.has(account)) return;
    if (this.#beside.has(account)) void this.ask();
    else if (accountId.safeParse(account).success) this.want(account, { beside: true });
  }

  /** Told of each account that is ours from now on, and at once of those that are. Returns how to stop that. */
  onOwned(listener: Listener<void>): () => void {
    return listen(this.#owned, listener, [...this.#held.keys()]);
  }

  /**
   * Told of each that is ours and that we stand beside, from now on, and at once of those that are: what waits to be sent
   * there can be. Its end is that of `onLost`. Returns how to stop that.
   */
  onBeside(listener: Listener<void>): () => void {
    return listen(this.#besideNow, listener, this.besideOurs);
  }

  /**
   * Told of each that is to be given back, and waited for, so that what is under way can end; not for longer than from one
   * renewal to the next. Nothing may be begun meanwhile. Returns how to stop that.
   */
  onLeaving(listener: Listener<Promise<void>>): () => void {
    return listen(this.#leave, listener, []);
  }

  /** Told of each of ours of which another sidecar has written something: there may be work. Returns how to stop that. */
  onTouched(listener: Listener<void>): () => void {
    return listen(this.#touchedNow, listener, []);
  }

  /** Told when this sidecar begins or ceases to lead. Returns how to stop that. */
  onLeads(listener: (leads: boolean) => void): () => void {
    this.#leadsNow.add(listener);
    return () => this.#leadsNow.delete(listener);
  }

  /** Told of each that is ours no more. Returns how to stop that. */
  onLost(listener: Listener<void>): () => void {
    return listen(this.#lost, listener, []);
  }

  /** A transaction was told that these are not ours, as they were when it began. */
  fencedOff(leases: readonly Lease[]): void {
    for (const { account, token } of leases) {
      if (this.#held.get(account)?.token !== token) continue;
      this.#held.delete(account);
      this.#touched.delete(account);
      this.#contests.over(account);
      tell(this.#lost, account);
      this.#tellOfFleet(account, false);
    }
  }

  /** Takes what nobody owns, and asks for what we stand beside and another one owns. A call in the midst of one makes another. */
  ask(): Promise<void> {
    if (this.#asking) {
      this.#next ??= this.#asking.then(() => {
        this.#next = undefined;
        return this.ask();
      });
      return this.#next;
    }
    this.#asking = this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    if (this.#isClosed || this.#isRetired) return;
    const { leases, owner, failed } = this.#options;
    try {
      const taken = await leases.take([...this.#beside], [...this.#held.keys()]);
      if (taken.length > 0) await this.#options.before?.(taken.map(({ account }) => account));
      if (this.#isClosed) return void (await leases.release(taken));
      this.#took(taken);
      const others = [...this.#beside].filter((account) => account !== FLEET && !this.#held.has(account));
      if (others.length > 0) this.#contests.refused(await leases.ask(others), owner);
    } catch (error) {
      failed(error);
    }
  }

  /** Renews what is ours, and gives back what is not ours to keep. */
  async renew(): Promise<void> {
    if (this.#isRenewing || this.#isRetired || this.#held.size === 0) return;
    this.#isRenewing = true;
    const { leases, owner, failed } = this.#options;
    try {
      const { lost, wanted, touched } = await leases.renew(this.leases, (account) => this.isBeside(account));
      this.fencedOff(lost);
      for (const [account, times] of touched) {
        if (!this.#held.has(account) || this.#touched.get(account) === times) continue;
        this.#touched.set(account, times);
        tell(this.#touchedNow, account);
      }
      const askers = new Map(wanted.map(({ account, by }) => [account, by]));
      for (const account of this.besideOurs) {
        const by = askers.get(account);
        if (by === undefined) this.#contests.over(account);
        else this.#contests.note(account, owner, by);
      }
      void this.#giveBack([...askers.keys()].filter((account) => !this.isBeside(account))).catch(failed);
    } catch (error) {
      failed(error);
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Takes nothing more, and renews nothing: what is ours is so until it is given back, or its lease is over. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Gives all back, so that another sidecar need not wait. Nothing may be written any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.resolve();
    for (const stop of this.#stops) stop();
    const leases = this.leases;
    this.#held.clear();
    // Where the database is away, they end by themselves.
    if (leases.length > 0) await this.#options.leases.release(leases).catch(() => {});
  }

  #took(leases: readonly Taken[]): void {
    for (const { touched, ...lease } of leases) {
      this.#held.set(lease.account, lease);
      // What is read from here on has all of that.
      this.#touched.set(lease.account, touched);
      this.#contests.over(lease.account);
      tell(this.#owned, lease.account);
      if (this.isBeside(lease.account)) tell(this.#besideNow, lease.account);
      this.#tellOfFleet(lease.account, true);
    }
  }

  #tellOfFleet(account: string, leads: boolean): void {
    if (account === FLEET) for (const listener of [...this.#leadsNow]) listener(leads);
  }

  #standsAsideOf(account: string): void {
    this.#beside.delete(account);
    this.#contests.over(account);
  }

  /** What is under way ends first, or is refused: whoever owns the account next must find nothing begun. */
  async #giveBack(accounts: readonly string[]): Promise<void> {
    const { leases, timers, renewMs } = this.#options;
    const leaving = accounts.flatMap((account) => (this.#leaving.has(account) ? [] : (this.#held.get(account) ?? [])));
    if (leaving.length === 0) return;
    for (const { account } of leaving) this.#leaving.add(account);
    const ends = leaving.flatMap(({ account }) => [...this.#leave].map(async (listener) => listener(account)));
    const late = Promise.withResolvers<void>();
    const callOff = timers.after(renewMs, late.resolve);
    await Promise.race([Promise.allSettled(ends), late.promise, this.#closing.promise]);
    callOff();
    for (const { account } of leaving) this.#leaving.delete(account);
    if (this.#isClosed) return;
    // What is another one's by now has another token.
    this.fencedOff(leaving);
    await leases.release(leaving);
  }
}

function listen<Result>(to: Set<Listener<Result>>, listener: Listener<Result>, now: readonly string[]): () => void {
  to.add(listener);
  for (const account of now) if (account !== FLEET) void listener(account);
  return () => to.delete(listener);
}

/** Of the fleet's own lease nobody is told. */
function tell(listeners: ReadonlySet<Listener<void>>, account: string): void {
  if (account !== FLEET) for (const listener of [...listeners]) listener(account);
}

/** Throws where that is no account's name. */
export function accountName(account: string): string {
  const { error, data } = accountId.safeParse(account);
  if (error)
    throw new Error(`${JSON.stringify(account)} is no WhatsApp account's name: it ${error.issues[0]?.message}`);
  return data;
}
