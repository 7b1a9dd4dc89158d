import type { Logger } from "pino";
import { type AlertRecord, type AlertStore, type NoticeRecord, NotOwnedError } from "../store/index.ts";
import { MAX_WAITING, type Waiting } from "./deliveries.ts";
import type { Details, Notice } from "./notice.ts";
import { ALERTS, type Kind, titleOf } from "./table.ts";
import type { Ways } from "./ways.ts";

/** Before a title. */
const PREFIX: Readonly<Record<Notice["state"], string>> = {
  ...{ started: "", again: "Again: ", lasts: "Still: ", over: "Over: ", happened: "", test: "" },
};

export interface TellingParts {
  store: Pick<AlertStore, "notices" | "write" | "done">;
  ways: Ways;
  /** This sidecar's name, where it tells of itself and there are others; else null. */
  instance: string | null;
  /** The time that has surely passed, ms. */
  provenNow(): number;
  log: Logger;
}

/**
 * Tells: in the log at once, and by every way in its time. What is told is written down, with the alert that it is of, so
 * that neither a restart nor a take-over loses any of it; but nobody waits for that: that nothing can be written is told as
 * well.
 */
export class Telling {
  readonly #parts: TellingParts;
  readonly #unwritten = new Map<string, AlertRecord>();
  #unwrittenNotices: NoticeRecord[] = [];
  /** What is in the log, and goes its ways when it is written down. */
  #untold: { number: number; notice: Notice; toldAt: number }[] = [];
  /** What is on its way. */
  readonly #waiting = new Set<Waiting>();
  /** That something is delivered is being written down. */
  readonly #ending = new Set<Promise<void>>();
  #number = 0;
  #isOver = false;

  constructor(parts: TellingParts) {
    this.#parts = parts;
  }

  /** Takes up what whoever told before has not delivered. Before anything is told: its numbers go on from there. */
  async start(): Promise<void> {
    for (const { channel, number, told_at: toldAt, notice } of await this.#parts.store.notices()) {
      this.#number = Math.max(this.#number, number);
      this.#add(channel, { number, toldAt, notice: JSON.parse(notice) as Notice });
    }
  }

  tell(alert: AlertRecord, state: Notice["state"], text: string): void {
    const kind = alert.kind as Kind;
    const { log, provenNow, instance, ways } = this.#parts;
    const details: Details = { ...JSON.parse(alert.details), ...(instance === null ? {} : { instance }) };
    const title = `${PREFIX[state]}${titleOf(kind, alert.subject, instance)}`;
    const since = new Date(alert.since_at).toISOString();
    const { severity } = ALERTS[kind];
    const notice: Notice = { id: alert.id, kind, state, severity, title, text, since, details };
    const about = { alert: kind, alert_id: alert.id, alert_state: state, ...details };
    if (state === "over") log.info(about, text);
    else log.error({ alarm: true, ...about }, text);
    alert.told_at = provenNow();
    this.changed(alert);
    this.#number += 1;
    const record = { number: this.#number, told_at: alert.told_at, notice: JSON.stringify(notice) };
    for (const channel of ways.names) this.#unwrittenNotices.push({ channel, ...record });
    this.#untold.push({ number: record.number, notice, toldAt: record.told_at });
  }

  /** Somebody else tells of these from now on, and this one of nothing. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** To be written down, as it is by then. */
  changed(alert: AlertRecord): void {
    this.#unwritten.set(alert.id, alert);
  }

  /**
   * Writes down what has changed, and then sends it on its ways: after a kill in between it would be told as new
   * once more. Resolves with whether all of that is on disk; what is not, is told all the same, and tried again.
   */
  async write(): Promise<boolean> {
    const untold = this.#untold;
    this.#untold = [];
    const isWritten = await this.#write();
    for (const one of untold) for (const name of this.#parts.ways.names) this.#add(name, one);
    return isWritten;
  }

  /** Somebody else goes on with it from here. Resolves when nothing of it is under way any more. */
  async letGo(): Promise<void> {
    this.#isOver = true;
    await this.#parts.ways.withdraw(this.#waiting);
    await Promise.all(this.#ending);
  }

  #add(channel: string, { number, notice, toldAt }: { number: number; notice: Notice; toldAt: number }): void {
    if (this.#isOver) return;
    const waiting: Waiting = {
      ...{ notice, toldAt },
      done: () => {
        this.#waiting.delete(waiting);
        this.#done(channel, number);
      },
    };
    this.#waiting.add(waiting);
    this.#parts.ways.add(channel, waiting);
  }

  async #write(): Promise<boolean> {
    const alerts = [...this.#unwritten.values()];
    const notices = this.#unwrittenNotices;
    if (alerts.length + notices.length === 0) return true;
    this.#unwritten.clear();
    this.#unwrittenNotices = [];
    try {
      const asNow = alerts.map((alert) => ({ ...alert }));
      await this.#parts.store.write(asNow, notices);
      return true;
    } catch (error) {
      // Whoever tells of it now sees for himself.
      if (error instanceof NotOwnedError) this.#isOver = true;
      for (const alert of alerts) if (!this.#unwritten.has(alert.id)) this.#unwritten.set(alert.id, alert);
      this.#unwrittenNotices = [...notices, ...this.#unwrittenNotices].slice(-MAX_WAITING);
      return false;
    }
  }

  #done(channel: string, number: number): void {
    const isUnwritten = (notice: NoticeRecord) => notice.channel === channel && notice.number === number;
    if (this.#unwrittenNotices.some(isUnwritten))
      this.#unwrittenNotices = this.#unwrittenNotices.filter((notice) => !isUnwritten(notice));
    else this.#writeDone(channel, number);
  }

  #writeDone(channel: string, number: number): void {
    const { store } = this.#parts;
    // Where that can't be written it comes twice, after the next start.
    const written = store.done(channel, number).catch(() => {});
    const ending = written.finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
