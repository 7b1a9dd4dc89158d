import type { AlertRecord, AlertStore, NoticeRecord } from "../alerts.ts";
import type { Figure, FigureStore, Step } from "../figures.ts";
import type { Store } from "../store.ts";
import type { Tally } from "../tally.ts";
import { openPostgresStore, type PostgresStore, type PostgresStoreOptions } from "./index.ts";
import { FencedOffError, FLEET } from "./lease.ts";

/**
 * Opens the room for a sidecar that tells alerts, and counts what passes, as if it were alone: until each does that of its
 * own accounts, the alerts of who leads are written down, and what passes here counts for one account of ours.
 */
export async function openAsStore(options: PostgresStoreOptions): Promise<Store> {
  const room = await openPostgresStore(options);
  return Object.assign(room, { alerts: new AlertsOfWhoLeads(room, room.alerts), figures: new FiguresOfOne(room) });
}

/** What is not written is told all the same, and forgotten with the process. */
class AlertsOfWhoLeads implements AlertStore {
  readonly #room: Pick<PostgresStore, "leads">;
  readonly #fleet: AlertStore;

  constructor(room: Pick<PostgresStore, "leads">, fleet: AlertStore) {
    this.#room = room;
    this.#fleet = fleet;
  }

  async open(): Promise<AlertRecord[]> {
    return this.#room.leads ? await this.#fleet.open() : [];
  }

  async past(limit: number): Promise<AlertRecord[]> {
    return await this.#fleet.past(limit);
  }

  async notices(): Promise<NoticeRecord[]> {
    return this.#room.leads ? await this.#fleet.notices() : [];
  }

  async write(alerts: readonly AlertRecord[], notices: readonly NoticeRecord[]): Promise<void> {
    await this.#fleet.write(alerts, notices);
  }

  async done(channel: string, number: number): Promise<void> {
    await this.#fleet.done(channel, number);
  }
}

class FiguresOfOne implements FigureStore {
  readonly #room: PostgresStore;
  readonly #reads: PostgresStore["figures"];

  constructor(room: PostgresStore) {
    this.#room = room;
    this.#reads = room.figures;
  }

  async between(step: Step, from: number, to: number): Promise<Figure[]> {
    return await this.#reads.between(step, from, to);
  }

  async add(at: number, tally: Tally, before: number | null, withdrawn: number | null): Promise<void> {
    const [account] = this.#room.accounts.toSorted();
    if (account === undefined) throw new FencedOffError(FLEET);
    await this.#room.figuresOf(account).add(at, tally, before, withdrawn);
  }
}
