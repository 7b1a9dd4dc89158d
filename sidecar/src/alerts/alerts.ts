import type { AlertRecord, AlertStore, Store, Teller as Whose } from "../store/index.ts";
import type { Condition, Happening, Reading } from "./condition.ts";
import type { Channel } from "./notice.ts";
import { ALERTS, type Kind } from "./table.ts";
import { type AlertLimits, Teller } from "./teller.ts";
import type { Tested } from "./test-notice.ts";
import { Ways, type WaysParts } from "./ways.ts";

interface AlertsParts extends WaysParts {
  store: Pick<Store, "alertsOf" | "leads" | "onOwned">;
  limits: AlertLimits;
  /** This sidecar's name, where others share its store; null: it is alone. */
  instance: string | null;
}

/** One who tells, and of whom. */
interface Entry {
  readonly teller: Teller;
  /** Null: of the machine or the fleet. */
  readonly account: string | null;
}

/**
 * What the operator is told of. Each alert has one teller: who owns its account, who leads, or the sidecar of the machine
 * that it is of; this has those that are this sidecar's. Where it is alone they are one and the same. They come and go with
 * what is ours: who takes an account over goes on with its alerts, and who has lost it says nothing more of them.
 */
export class Alerts {
  readonly #parts: AlertsParts;
  #limits: AlertLimits;
  readonly #ways: Ways;
  /** By where they write: where that is one for all, so is the teller. */
  readonly #tellers = new Map<AlertStore, Entry>();

  constructor(parts: AlertsParts) {
    this.#parts = parts;
    this.#limits = parts.limits;
    this.#ways = new Ways(parts);
    // What happens before the start is told after it.
    this.#open("machine");
  }

  /** Takes up what the last run left. Rejects when that can't be read. */
  async start(): Promise<void> {
    const { store } = this.#parts;
    const ours: string[] = [];
    store.onOwned((account) => void ours.push(account))();
    const started: Whose[] = [
      "machine",
      ...(store.leads ? (["fleet"] as const) : []),
      ...ours.map((account) => ({ account })),
    ];
    await Promise.all(started.map((whose) => this.#begin(whose)));
  }

  /** The account is ours: goes on with its alerts. Rejects when they can't be read. */
  async takeUp(account: string): Promise<void> {
    await this.#begin({ account });
  }

  /** The account is to be another one's. Resolves when nothing is under way any more that would be told by both. */
  async leave(account: string): Promise<void> {
    await this.#end({ account });
  }

  /** The account is another one's: nothing more is told of it, not even its end. */
  letGo(account: string): void {
    void this.#end({ account });
  }

  /** Those that last and were told, the oldest first. */
  get open(): readonly AlertRecord[] {
    const all = [...this.#tellers.values()].flatMap(({ teller }) => teller.open);
    return all.sort((a, b) => a.since - b.since);
  }

  /** How the ways to the operator are. */
  get channels() {
    return this.#ways.status;
  }

  /** Takes changed settings over: what waits goes by the new ways. */
  adopt(channels: readonly Channel[], limits: AlertLimits): void {
    this.#limits = limits;
    this.#ways.adopt(channels);
  }

  /** Begins, goes on with and ends alerts by what is so now. To be called every few seconds, and when something changes. */
  see({ conditions, unknown, accounts }: Reading): void {
    this.#followLead();
    const present = Map.groupBy(conditions, (condition) => this.#storeOf(condition));
    for (const [store, { teller, account }] of this.#tellers) {
      if (teller.isOver) this.#tellers.delete(store);
      if (teller.isOver || !teller.isStarted) continue;
      const more = account === null ? NONE : accounts.get(account);
      // It has become ours since that was looked at.
      if (more === undefined) continue;
      teller.look(present.get(store) ?? [], more.size === 0 ? unknown : new Set([...unknown, ...more]));
    }
  }

  /** Resolves with true when it is on disk, and will be told whatever happens; with false when it is not. */
  async happened(happening: Happening): Promise<boolean> {
    const entry = this.#tellers.get(this.#storeOf(happening));
    return (await entry?.teller.happened(happening)) ?? false;
  }

  /** Tries every way with a notice that says it is a test. */
  test(): Promise<Tested[]> {
    return this.#ways.test();
  }

  /** Ends what is under way; what is not delivered yet is, after the next start, or by whoever takes over. */
  async close(): Promise<void> {
    await this.#ways.close();
    await Promise.all([...this.#tellers.values()].map(({ teller }) => teller.close()));
  }

  /** Who leads is asked each time: nothing is told of that. */
  #followLead(): void {
    const { store, log } = this.#parts;
    const isOurs = this.#tellers.has(store.alertsOf("fleet"));
    if (store.leads && !isOurs)
      this.#begin("fleet").catch((error: unknown) => {
        // The next look tries it again.
        void this.#end("fleet");
        log.warn({ err: error }, "the alerts of the fleet can't be taken up yet; tried again");
      });
    if (!store.leads && isOurs) void this.#end("fleet");
  }

  async #begin(whose: Whose): Promise<void> {
    const teller = this.#open(whose);
    if (!teller.isStarted) await teller.start();
  }

  #open(whose: Whose): Teller {
    const { store, clock, provenNow, log, instance } = this.#parts;
    const place = store.alertsOf(whose);
    const known = this.#tellers.get(place);
    if (known && !known.teller.isOver) return known.teller;
    const teller = new Teller({
      ...{ store: place, ways: this.#ways, limits: () => this.#limits, clock, provenNow, log },
      instance: whose === "machine" ? instance : null,
    });
    this.#tellers.set(place, { teller, account: typeof whose === "string" ? null : whose.account });
    return teller;
  }

  async #end(whose: Whose): Promise<void> {
    const place = this.#parts.store.alertsOf(whose);
    const entry = this.#tellers.get(place);
    this.#tellers.delete(place);
    await entry?.teller.letGo();
  }

  #storeOf({ kind, account }: Pick<Condition, "kind" | "account">): AlertStore {
    return this.#parts.store.alertsOf(whoseIs(kind, account));
  }
}

const NONE: ReadonlySet<Kind> = new Set();

/** Who tells of it. What is an account's, and nobody can say of which, is the machine's that sees it. */
function whoseIs(kind: Kind, account: string | null): Whose {
  const { teller } = ALERTS[kind];
  if (teller !== "account") return teller;
  return account === null ? "machine" : { account };
}
