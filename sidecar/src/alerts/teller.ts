import { durationInWords } from "../downtime/local-time.ts";
import type { AlertRecord, AlertStore } from "../store/index.ts";
import type { Condition, Happening } from "./condition.ts";
import { ALERTS, type AlertKind, type Kind, titleOf } from "./table.ts";
import { Telling } from "./telling.ts";
import type { Ways, WaysParts } from "./ways.ts";

/** What is added to what is counted is told after this time, ms, at most once. */
const MORE_MS = 15 * 60_000;

/** What is back within so many times its calm is the same as before, and from then on it is over after as much. */
const REOPEN_CALMS = 10;

/** Ended alerts that are looked through at start for those that may come back. */
const LOOKS_BACK = 200;

export interface AlertLimits {
  /** What lasts is told again after this time, ms; 0: never. */
  readonly repeatMs: number;
  /** It must be away for so long, ms, before its end is told. */
  readonly calmMs: number;
}

interface TellerParts extends Pick<WaysParts, "clock" | "provenNow" | "log"> {
  store: AlertStore;
  ways: Ways;
  limits: () => AlertLimits;
  /** See Telling. */
  instance: string | null;
}

/**
 * What one teller tells the operator of: once when it begins, again at intervals, once when it is over. What comes and goes
 * is one alert: its end is told when it has been away for a while, and where it is back soon after that, for ten times as
 * long. What lasts outlives the sidecar: whoever goes on with it neither tells it as new again, nor forgets it.
 */
export class Teller {
  readonly #parts: TellerParts;
  readonly #telling: Telling;
  readonly #open = new Map<string, AlertRecord>();
  /** The last of each that is over: it may be back. */
  readonly #past = new Map<string, AlertRecord>();
  /** Since when what is not told yet is so, monotonic ms, and for how long it must be, as was said when it began. */
  readonly #pending = new Map<string, { kind: Kind; since: number; afterMs: number }>();
  readonly #started = Promise.withResolvers<void>();
  #starting: Promise<void> | null = null;
  #isStarted = false;

  constructor(parts: TellerParts) {
    this.#parts = parts;
    this.#telling = new Telling(parts);
  }

  /**
   * Takes up what the last run, or the last one that told of it, has left. What happens before that is told afterwards.
   * Rejects when it can't be read; it can be called again then.
   */
  start(): Promise<void> {
    this.#starting ??= this.#takeUp().catch((error: unknown) => {
      this.#starting = null;
      throw error;
    });
    return this.#starting;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Somebody else tells of it now. */
  get isOver(): boolean {
    return this.#telling.isOver;
  }

  /** Somebody else goes on with it: no end is told. Resolves when nothing of it is under way any more. */
  async letGo(): Promise<void> {
    this.#started.resolve();
    await this.#telling.letGo();
  }

  /** Those that last and were told, the oldest first. */
  get open(): readonly AlertRecord[] {
    return [...this.#open.values()];
  }

  /** Begins, goes on with and ends alerts by what is so now. To be called every few seconds, and when something changes. */
  look(conditions: readonly Condition[], unknown: ReadonlySet<Kind>): void {
    const present = new Set<string>();
    for (const condition of conditions) {
      const key = keyOf(condition);
      present.add(key);
      const alert = this.#open.get(key);
      if (alert) this.#goOn(alert, condition);
      else this.#consider(key, condition);
    }
    for (const [key, alert] of this.#open)
      if (!present.has(key) && !unknown.has(alert.kind as Kind)) this.#away(key, alert);
    for (const [key, { kind }] of this.#pending) if (!present.has(key) && !unknown.has(kind)) this.#pending.delete(key);
    void this.#telling.write();
  }

  /** Resolves with true when it is on disk, and will be told whatever happens; with false when it is not. */
  async happened({ id, kind, subject, text, details }: Happening): Promise<boolean> {
    await this.#started.promise;
    const at = Math.round(this.#parts.clock.now());
    const now = this.#parts.provenNow();
    const alert: AlertRecord = {
      ...{ id, kind, subject, text, details: JSON.stringify(details), since_at: at, since: now, away_since: null },
      ...{ told_at: now, told_amount: 0, returns: 0, is_reopened: 0, ended_at: at, ended: now },
    };
    this.#telling.tell(alert, "happened", text);
    return await this.#telling.write();
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    await this.#telling.write();
  }

  async #takeUp(): Promise<void> {
    const { store } = this.#parts;
    const [past, open] = await Promise.all([store.past(LOOKS_BACK), store.open()]);
    await this.#telling.start();
    for (const alert of past.toReversed()) this.#past.set(keyOf(alert), alert);
    // One of a newer release has nobody here who could end it.
    for (const alert of open) if (alert.kind in ALERTS) this.#open.set(keyOf(alert), alert);
    this.#isStarted = true;
    this.#started.resolve();
  }

  /** It is so, and not told yet. */
  #consider(key: string, condition: Condition): void {
    const now = this.#parts.clock.uptimeMs();
    const { kind } = condition;
    const { since, afterMs } = this.#pending.get(key) ?? { since: now, afterMs: condition.afterMs };
    if (now - since < afterMs) {
      this.#pending.set(key, { kind, since, afterMs });
      return;
    }
    this.#pending.delete(key);
    const before = this.#past.get(key);
    const awayMs = this.#parts.provenNow() - (before?.ended ?? Number.NEGATIVE_INFINITY);
    if (before && awayMs < REOPEN_CALMS * this.#calmMs(kind)) this.#reopen(key, before, condition, awayMs);
    else this.#begin(key, condition, now - since);
  }

  /** `ageMs`: how long it has been so already. */
  #begin(key: string, { kind, subject, text, details, amount }: Condition, ageMs: number): void {
    const { clock, provenNow, instance } = this.#parts;
    const [at, now] = [Math.round(clock.now()), provenNow()];
    const which = [subject, instance ?? ""].filter((part) => part !== "").map((part) => `-${part}`);
    const alert: AlertRecord = {
      ...{ id: `${kind}-${at}${which.join("")}`, kind, subject, text },
      ...{ details: JSON.stringify(details), since_at: Math.round(at - ageMs), since: Math.round(now - ageMs) },
      ...{
        away_since: null,
        told_at: now,
        told_amount: amount,
        returns: 0,
        is_reopened: 0,
        ended_at: null,
        ended: null,
      },
    };
    this.#open.set(key, alert);
    this.#telling.tell(alert, "started", text);
  }

  #reopen(key: string, before: AlertRecord, condition: Condition, awayMs: number): void {
    const alert: AlertRecord = { ...before, away_since: null, is_reopened: 1, ended_at: null, ended: null };
    alert.returns += 1;
    alert.told_amount = condition.amount;
    this.#past.delete(key);
    this.#open.set(key, alert);
    this.#update(alert, condition);
    const calm = durationInWords(this.#patienceMs(alert));
    const rest = `It comes and goes: that it is over is said when it was away for ${calm}`;
    this.#telling.tell(
      alert,
      "again",
      `Again, ${durationInWords(awayMs)} after it was over: ${condition.text} (${rest}.)`,
    );
  }

  #goOn(alert: AlertRecord, condition: Condition): void {
    const { provenNow } = this.#parts;
    const { repeatMs } = this.#parts.limits();
    if (alert.away_since !== null) {
      alert.away_since = null;
      alert.returns += 1;
      this.#telling.changed(alert);
    }
    this.#update(alert, condition);
    const sinceTold = provenNow() - alert.told_at;
    const more = condition.amount - alert.told_amount;
    const isMore = more > 0 && sinceTold >= MORE_MS;
    if (!isMore && (repeatMs === 0 || sinceTold < repeatMs)) return;
    alert.told_amount = condition.amount;
    const lasted = durationInWords(provenNow() - alert.since);
    const what = isMore ? `${more} more: ` : `For ${lasted} now${comingsOf(alert)}: `;
    this.#telling.tell(alert, "lasts", `${what}${condition.text}`);
  }

  #away(key: string, alert: AlertRecord): void {
    const { clock, provenNow } = this.#parts;
    const now = provenNow();
    if (alert.away_since === null) {
      alert.away_since = now;
      this.#telling.changed(alert);
    }
    const awayMs = now - alert.away_since;
    if (awayMs < this.#patienceMs(alert)) return;
    alert.ended = alert.away_since;
    alert.ended_at = Math.round(clock.now() - awayMs);
    this.#open.delete(key);
    this.#past.set(key, alert);
    const lasted = durationInWords(alert.ended - alert.since);
    const what = titleOf(alert.kind as Kind, alert.subject, this.#parts.instance);
    this.#telling.tell(alert, "over", `Over after ${lasted}${comingsOf(alert)}: ${what}.`);
  }

  #update(alert: AlertRecord, { text, details, amount }: Condition): void {
    const json = JSON.stringify(details);
    // Those that are gone are not missing: what comes after them is new.
    const told = Math.min(alert.told_amount, amount);
    if (alert.text === text && alert.details === json && alert.told_amount === told) return;
    Object.assign(alert, { text, details: json, told_amount: told });
    this.#telling.changed(alert);
  }

  /** How long it must be away before that is told, ms. */
  #patienceMs({ kind, is_reopened }: AlertRecord): number {
    return this.#calmMs(kind as Kind) * (is_reopened ? REOPEN_CALMS : 1);
  }

  #calmMs(kind: Kind): number {
    const { calmMs = this.#parts.limits().calmMs }: AlertKind = ALERTS[kind];
    return calmMs;
  }
}

function keyOf({ kind, subject }: { kind: string; subject: string }): string {
  return `${kind} ${subject}`;
}

function comingsOf({ returns }: AlertRecord): string {
  return returns === 0 ? "" : ` (it came and went ${returns} time${returns === 1 ? "" : "s"})`;
}
