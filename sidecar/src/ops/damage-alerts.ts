import type { Clock } from "../clock.ts";
import { RESTORE, type Store } from "../store/index.ts";
import type { Alert } from "./alert.ts";
import type { Alerts } from "./alerts.ts";

/** What was told is told again only after a time without damage, ms: a page that is needed once an hour is one story. */
const QUIET_MS = 24 * 3_600_000;

/** `all`: the next message would meet it as well, so nothing goes on. `rows`: it costs what is on the damaged page. */
type Scope = "all" | "rows";

interface DamageAlertsParts {
  store: Pick<Store, "damage" | "outage" | "onDamage">;
  alerts: Pick<Alerts, "raise">;
  clock: Clock;
}

/** Tells the operator that the database is damaged: once what it costs some messages, once that nothing goes on. */
export class DamageAlerts {
  readonly #parts: DamageAlertsParts;
  readonly #told = new Set<Scope>();
  #metAt = Number.NEGATIVE_INFINITY;

  constructor(parts: DamageAlertsParts) {
    this.#parts = parts;
  }

  /** Tells of what was met before, too. Ends with the store. */
  start(): void {
    this.#parts.store.onDamage(() => this.#look());
    this.#look();
  }

  #look(): void {
    const { store, alerts, clock } = this.#parts;
    if (store.damage === null) return;
    const now = clock.uptimeMs();
    if (now - this.#metAt > QUIET_MS) this.#told.clear();
    this.#metAt = now;
    const scope = store.outage?.isDamage ? "all" : "rows";
    if (this.#told.has(scope)) return;
    this.#told.add(scope);
    void alerts.raise(alertOf(scope, store.damage.failure, clock.now()));
  }
}

/** `at`: wall-clock ms. */
function alertOf(scope: Scope, failure: string, at: number): Alert {
  const text = `The sidecar's database is damaged (${failure}). ${CONSEQUENCE[scope]} ${RESTORE}`;
  return { id: `database-${at}`, kind: "database", text, details: { scope, failure } };
}

const CONSEQUENCE: Record<Scope, string> = {
  all: "The next message would meet that too, so nothing is taken in, delivered or answered; nothing is given up for it either.",
  rows: "What needs the damaged page waits, or is given up: GET /health counts it in messages.dead and commands.failed, and the log names it. All else goes on.",
};
