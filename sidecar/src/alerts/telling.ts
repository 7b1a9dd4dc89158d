import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import type { AlertRecord, AlertStore, NoticeRecord } from "../store/index.ts";
import { Deliveries, MAX_WAITING, type Waiting } from "./deliveries.ts";
import type { Attempt, Channel, Details, Notice } from "./notice.ts";
import { ALERTS, type Kind, titleOf } from "./table.ts";

/** How long one way may take in a test, ms: less than whoever asks for it waits. */
const TEST_MS = 10_000;

/** Before a title. */
const PREFIX: Readonly<Record<Notice["state"], string>> = {
  ...{ started: "", again: "Again: ", lasts: "Still: ", over: "Over: ", happened: "", test: "" },
};

export type NoticeStore = Pick<AlertStore, "notices" | "write" | "done">;

/** What came of a test of one way. */
export interface Tested {
  readonly channel: string;
  readonly ok: boolean;
  /** Why not; null where it worked. */
  readonly reason: string | null;
}

export interface TellingParts {
  store: NoticeStore;
  channels: readonly Channel[];
  clock: Clock;
  timers: Timers;
  /** The time that has surely passed, ms. */
  provenNow(): number;
  log: Logger;
  random: () => number;
}

/**
 * Tells: in the log at once, and by every channel in its time. What is told is written down, with the alert that it is
 * of, so that a restart loses none of it; but nobody waits for that: that nothing can be written is told as well.
 */
export class Telling {
  readonly #parts: TellingParts;
  #channels: readonly Channel[];
  #deliveries: ReadonlyMap<string, Deliveries>;
  /** Ways that are given up. */
  readonly #ending: Promise<void>[] = [];
  readonly #unwritten = new Map<string, AlertRecord>();
  #unwrittenNotices: NoticeRecord[] = [];
  /** What is in the log, and goes to the channels when it is written down. */
  #untold: Waiting[] = [];
  #number = 0;

  constructor(parts: TellingParts) {
    const { channels } = parts;
    this.#parts = parts;
    this.#channels = channels;
    this.#deliveries = new Map(channels.map((channel) => [channel.name, this.#deliveriesTo(channel)]));
  }

  /** Takes up what the last run has not delivered. Before anything is told: its numbers go on from there. */
  async start(): Promise<void> {
    for (const { channel, number, told_at: toldAt, notice } of await this.#parts.store.notices()) {
      this.#number = Math.max(this.#number, number);
      const deliveries = this.#deliveries.get(channel);
      if (deliveries) deliveries.add({ number, toldAt, notice: JSON.parse(notice) as Notice });
      // That way is not set any more.
      else this.#done(channel, number);
    }
  }

  /** How the ways to the operator are. */
  get status() {
    return [...this.#deliveries.values()].map(({ status }) => status);
  }

  /** From now on these are the ways; what waits goes by the one of the same name. */
  adopt(channels: readonly Channel[]): void {
    const before = this.#deliveries;
    this.#channels = channels;
    this.#deliveries = new Map(channels.map((channel) => [channel.name, this.#deliveriesTo(channel)]));
    for (const [name, old] of before) {
      const { waiting } = old;
      this.#ending.push(old.close());
      for (const notice of waiting) {
        const next = this.#deliveries.get(name);
        if (next) next.add(notice);
        else this.#done(name, notice.number);
      }
    }
  }

  tell(alert: AlertRecord, state: Notice["state"], text: string): void {
    const kind = alert.kind as Kind;
    const { log, provenNow } = this.#parts;
    const details = JSON.parse(alert.details) as Details;
    const title = `${PREFIX[state]}${titleOf(kind, alert.subject)}`;
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
    for (const channel of this.#deliveries.keys()) this.#unwrittenNotices.push({ channel, ...record });
    this.#untold.push({ number: record.number, notice, toldAt: record.told_at });
  }

  /** To be written down, as it is by then. */
  changed(alert: AlertRecord): void {
    this.#unwritten.set(alert.id, alert);
  }

  /**
   * Writes down what has changed, and then hands it to the channels: after a kill in between it would be told as new
   * once more. Resolves with whether all of that is on disk; what is not, is told all the same, and tried again.
   */
  async write(): Promise<boolean> {
    const untold = this.#untold;
    this.#untold = [];
    const isWritten = await this.#write();
    for (const waiting of untold) for (const deliveries of this.#deliveries.values()) deliveries.add(waiting);
    return isWritten;
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
    } catch {
      for (const alert of alerts) this.#unwritten.set(alert.id, alert);
      this.#unwrittenNotices = [...notices, ...this.#unwrittenNotices].slice(-MAX_WAITING);
      return false;
    }
  }

  /** Tries every way with a notice that says it is a test. */
  async test(): Promise<Tested[]> {
    const { clock, log } = this.#parts;
    const notice = testNotice(clock.now());
    log.warn({ alert: "test", alert_id: notice.id }, notice.text);
    const all = this.#channels.map((channel) => tested(channel.name, (signal) => channel.send(notice, signal)));
    return [{ channel: "log", ok: true, reason: null }, ...(await Promise.all(all))];
  }

  /** Ends what is under way; what is not delivered yet is, after the next start. */
  async close(): Promise<void> {
    const ending = [...this.#deliveries.values()].map((deliveries) => deliveries.close());
    await Promise.all([...ending, ...this.#ending]);
    await this.write();
  }

  #deliveriesTo(channel: Channel): Deliveries {
    return new Deliveries({ ...this.#parts, channel, onDone: (number) => this.#done(channel.name, number) });
  }

  #done(channel: string, number: number): void {
    const isUnwritten = (notice: NoticeRecord) => notice.channel === channel && notice.number === number;
    if (this.#unwrittenNotices.some(isUnwritten))
      this.#unwrittenNotices = this.#unwrittenNotices.filter((notice) => !isUnwritten(notice));
    // Where that can't be written it comes twice, after the next start.
    else void this.#parts.store.done(channel, number).catch(() => {});
  }
}

/** Says that it is a test. `at`: wall-clock ms. */
export function testNotice(at: number): Notice {
  return {
    ...{ id: `test-${at}`, kind: "test", state: "test", severity: "info", title: "A test of the alerts" },
    ...{ text: "This is a test of the alerts. Nothing is wrong.", since: new Date(at).toISOString(), details: {} },
  };
}

/** What comes of one way to the operator. */
export async function tested(channel: string, attempt: (signal: AbortSignal) => Promise<Attempt>): Promise<Tested> {
  const end = await attempt(AbortSignal.timeout(TEST_MS));
  return { channel, ok: end.ok, reason: end.ok ? null : end.why };
}
