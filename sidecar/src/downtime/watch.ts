import { LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Alerts } from "../alerts/alerts.ts";
import type { AccountCode, AccountState, Gateway, StatusReport } from "../gateway/index.ts";
import { type Connection, NotOwnedError, type Store, StoreUnwritableError } from "../store/index.ts";
import { alertOf } from "./alert.ts";
import { look, type Seen, type Sighting } from "./window.ts";

/**
 * How often it is recorded that an account is connected, ms. A downtime begins too early by up to this
 * if the sidecar is killed.
 */
const RECORD_INTERVAL_MS = 15_000;

/** What an account's state says of its connection; of `unknown` nothing follows. */
const CONNECTION: Readonly<Record<AccountCode, Sighting["state"] | null>> = {
  connected: "connected",
  connecting: "away",
  reconnecting: "away",
  stopped: "away",
  disabled: "away",
  logged_out: "taken",
  replaced: "taken",
  not_linked: "taken",
  unknown: null,
};

interface Parts {
  store: Store;
  gateway: Gateway;
  alerts: Pick<Alerts, "happened">;
  log: Logger;
}

/**
 * Follows when WhatsApp is connected, and raises one alert for each downtime in which OpenClaw can have dropped messages.
 * A downtime is on disk before its alert is raised: a crash in between repeats the alert, and loses none.
 */
export class DowntimeWatch {
  readonly #store: Store;
  readonly #alerts: Pick<Alerts, "happened">;
  readonly #log: Logger;
  #known = new Map<string, Connection>();
  /** `uptimeMs` when an account's connection was last written. */
  readonly #writtenAt = new Map<string, number>();
  readonly #writing = new Map<string, Promise<void>>();
  /** Accounts that have become ours, and of which it is not read yet how they were. */
  readonly #unread = new Set<string>();
  readonly #gateway: Gateway;
  #unsubscribe = () => {};
  #telling: Promise<void> | null = null;
  readonly #logThrottle = new LogThrottle({ everyMs: Number.POSITIVE_INFINITY });

  constructor({ store, gateway, alerts, log }: Parts) {
    this.#store = store;
    this.#alerts = alerts;
    this.#log = log;
    this.#gateway = gateway;
  }

  /** Follows from now on, from where the last run has left off. */
  async start(): Promise<void> {
    let isLater = false;
    const noMore = this.#store.onOwned((account) => {
      if (isLater) this.#unread.add(account);
    });
    isLater = true;
    this.#known = await this.#store.downtimes.connections();
    const noReports = this.#gateway.onStatus((report) => {
      for (const [accountId, state] of report.accounts) this.#look(accountId, state, report);
    });
    this.#unsubscribe = () => {
      noMore();
      noReports();
    };
    this.#tell();
  }

  /** The account has become ours: goes on from where its last owner has left off. Rejects when the store can't be read. */
  async takeUp(account: string): Promise<void> {
    this.#unread.add(account);
    const known = (await this.#store.downtimes.connections()).get(account);
    if (!this.#unread.delete(account)) return;
    if (known) this.#known.set(account, known);
    this.#tell();
  }

  /** The account is another process's. */
  letGo(account: string): void {
    this.#unread.delete(account);
    this.#known.delete(account);
    this.#writtenAt.delete(account);
  }

  /** Records until when each account was seen connected. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await Promise.all(this.#writing.values());
    for (const [accountId, connection] of this.#known)
      if (this.#writtenAt.has(accountId)) this.#write(accountId, { connection, downtime: null, reconnected: false });
    await Promise.all([...this.#writing.values(), this.#telling]);
  }

  #look(accountId: string, state: AccountState, { now, uptimeMs, process }: StatusReport): void {
    const connection = CONNECTION[state.code];
    if (connection === null || this.#writing.has(accountId)) return;
    // Whoever owns it follows it: what we say of it would count for nothing.
    if (this.#unread.has(accountId) || !this.#store.owns(accountId)) return;
    const known = this.#known.get(accountId) ?? null;
    const seen = look(known, { ...state, state: connection, processId: process?.id ?? null, now, uptimeMs });
    if (seen.connection === null) return;
    const writtenAt = this.#writtenAt.get(accountId);
    const news = writtenAt === undefined || seen.reconnected || seen.connection.state !== known?.state;
    const due = seen.connection.state === "up" && uptimeMs - (writtenAt ?? 0) >= RECORD_INTERVAL_MS;
    if (news || due) {
      this.#writtenAt.set(accountId, uptimeMs);
      this.#write(accountId, { ...seen, connection: seen.connection });
    } else this.#known.set(accountId, seen.connection);
  }

  /** What can't be written is not known either: the next look, in a few seconds, starts from the same point. */
  #write(accountId: string, seen: Seen & { connection: Connection }): void {
    const known = this.#known.get(accountId);
    const written = this.#store.downtimes.record(accountId, seen.connection, seen.downtime).then(
      () => {
        this.#logThrottle.over();
        this.#known.set(accountId, seen.connection);
        this.#say(accountId, seen, known);
        if (seen.downtime) this.#tell();
      },
      (error: unknown) => {
        // An outage has its own line in the log.
        if (error instanceof StoreUnwritableError || error instanceof NotOwnedError) return;
        this.#logThrottle.log(() => this.#log.error({ err: error }, "how WhatsApp is connected can't be written"));
      },
    );
    const ended = written.finally(() => this.#writing.delete(accountId));
    this.#writing.set(accountId, ended);
  }

  #say(
    account: string,
    { connection, downtime, reconnected }: Seen & { connection: Connection },
    known?: Connection,
  ): void {
    if (connection.state !== "up") return;
    if (reconnected) this.#log.info({ account, missed: downtime !== null }, "WhatsApp is connected again");
    else if (known?.aliveUptimeMs === null) this.#log.info({ account }, "WhatsApp has stayed connected");
  }

  /** Raises the alerts that are still to be raised, one after the other. */
  #tell(): void {
    this.#telling ??= this.#tellAll()
      .catch((error: unknown) =>
        this.#log.error(
          { err: error },
          "that an alert was raised can't be written; it is raised again at the next start",
        ),
      )
      .finally(() => {
        this.#telling = null;
      });
  }

  async #tellAll(): Promise<void> {
    for (;;) {
      const next = await this.#store.downtimes.nextToTell();
      if (!next) return;
      if (!(await this.#alerts.happened(alertOf(next)))) return;
      await this.#store.downtimes.told(next.id);
    }
  }
}
