import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Alerts } from "../alerts/alerts.ts";
import type { Condition, Reading } from "../alerts/condition.ts";
import { sightingOf, withoutSightings, withSightings } from "../alerts/sightings.ts";
import { ALERTS, type Kind } from "../alerts/table.ts";
import type { Clock } from "../clock.ts";
import { condition, type Finding } from "./finding.ts";
import { readFindings, unknownKinds, unknownOfAccounts } from "./findings.ts";
import { ofStoreAway } from "./findings-of-machine.ts";
import type { HealthParts } from "./health-parts.ts";

/** How often it is looked, ms. */
const LOOK_EVERY_MS = 5_000;

/** What another sidecar saw counts for so long, ms: one that has not looked for three times is not heard of. */
const SIGHTING_MS = 4 * LOOK_EVERY_MS;

/** An account is nobody's while one sidecar takes it over from another one, ms: longer than a lease lasts. */
const UNOWNED_MS = 30_000;

interface AlertWatchParts {
  alerts: Alerts;
  health: HealthParts;
  clock: Clock;
  log: Logger;
}

/** Looks every few seconds at what `/health` looks at, and has the operator told of it. */
export class AlertWatch {
  readonly #parts: AlertWatchParts;
  readonly #since = new Map<string, { ok: boolean; at: number }>();
  /** Accounts that our own gateway has or had. */
  readonly #named = new Set<string>();
  readonly #throttle = new LogThrottle();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #looking: Promise<void> | null = null;
  /** Something may have changed since the look that is under way began. */
  #isDue = false;

  constructor(parts: AlertWatchParts) {
    this.#parts = parts;
  }

  /** Looks from now on, and at once. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
    // What changes while all else stops is no news, and the store may be closed by then.
    this.#timer = undefined;
  }

  /** Something has changed: looks at the end of this turn, between the start and the stop. */
  readonly soon = (): void => {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      if (this.#timer !== undefined) this.#look();
    });
  };

  /** One look at a time: what one has seen must not be told after what a later one has. */
  #look(): void {
    this.#isDue = true;
    this.#looking ??= this.#lookWhileDue().finally(() => {
      this.#looking = null;
    });
  }

  async #lookWhileDue(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false;
      await this.#lookOnce();
    }
  }

  async #lookOnce(): Promise<void> {
    const { alerts, health } = this.#parts;
    try {
      const look = await health.store.look();
      if (this.#timer === undefined) return;
      const findings = readFindings(health, look);
      for (const finding of findings) this.since(finding);
      const conditions = await Promise.all(findings.flatMap(({ alerts }) => alerts.map((one) => this.#told(one))));
      for (const account of health.gateway.state.accounts.keys()) this.#named.add(account);
      const accounts = unknownOfAccounts(look, (account) => this.#named.has(account));
      const reading = { conditions, unknown: unknownKinds(health), accounts };
      const all = await this.#withOthers(reading);
      if (this.#timer !== undefined) alerts.see(all);
    } catch (error) {
      if (this.#timer !== undefined) this.#sayUnreadable(error);
    }
  }

  /** What nobody owns whoever sees it tells of as of its own machine: its name may be one that nobody can own. */
  async #told(one: Condition): Promise<Condition> {
    const { store } = this.#parts.health;
    const { account } = one;
    if (account === null || account === "" || store.owns(account) || (await store.isOwned(account))) return one;
    return { ...one, account: null, afterMs: Math.max(one.afterMs, UNOWNED_MS) };
  }

  /** With what others see, where this sidecar tells of it; where it does not, it has it told by whoever does. */
  async #withOthers(reading: Reading): Promise<Reading> {
    const { store } = this.#parts.health;
    try {
      if (store.leads) return withSightings(reading, await store.sightings.others(SIGHTING_MS));
      await store.sightings.put(sightingOf(reading));
      return reading;
    } catch (error) {
      this.#parts.log.debug({ err: error }, "what sidecars see of what is common to them can't be exchanged");
      return withoutSightings(reading);
    }
  }

  /** When it became as it is, wall-clock ms, as far as was seen since the sidecar's start, or was told before. */
  since({ name, account, ok, alerts }: Finding): number {
    const key = `${name} ${account ?? ""}`;
    const known = this.#since.get(key);
    if (known?.ok === ok) return known.at;
    const at = (ok ? null : this.#toldSince(alerts)) ?? this.#parts.clock.now();
    this.#since.set(key, { ok, at });
    return at;
  }

  #toldSince(alerts: readonly Condition[]): number | null {
    const { open } = this.#parts.alerts;
    const told = open.filter((alert) =>
      alerts.some(({ kind, subject }) => kind === alert.kind && subject === alert.subject),
    );
    return told.length === 0 ? null : Math.min(...told.map(({ since_at }) => since_at));
  }

  /** The rest of the state is not known then. */
  #sayUnreadable(error: unknown): void {
    const { alerts, health, log } = this.#parts;
    const unknown = new Set(Object.keys(ALERTS) as Kind[]);
    const accounts: Reading["accounts"] = new Map();
    // Of that alone something can be said, and when it is over.
    const store = ofStoreAway(health, error);
    if (store !== null) {
      this.since(store);
      unknown.delete("store");
      return alerts.see({ conditions: store.alerts, unknown, accounts });
    }
    const code = codeOf(error) || "see the log";
    this.#throttle.log(() => log.error({ err: error }, "what alerts are raised for can't be read"), code);
    const text = `The sidecar's state can't be read (${code}): the disk of the database may be failing. Look at it, and restore a backup.`;
    const unreadable = condition("database", text, { subject: "all", details: { scope: "all", failure: code } });
    alerts.see({ conditions: [unreadable], unknown, accounts });
  }
}
