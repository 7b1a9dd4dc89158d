import { durationInWords } from "../downtime/local-time.ts";
import type { AlertRecord, AlertStore } from "../store/index.ts";
import type { Channel, Details } from "./notice.ts";
import { ALERTS, type AlertKind, type Kind, titleOf } from "./table.ts";
import { Telling, type TellingParts, type Tested } from "./telling.ts";

/** What is added to what is counted is told after this time, ms, at most once. */
const MORE_MS = 15 * 60_000;

/** What is back within so many times its calm is the same as before, and from then on it is over after as much. */
const REOPEN_CALMS = 10;

/** Ended alerts that are looked through at start for those that may come back. */
const LOOKS_BACK = 200;

/** Something that is so now, and that the operator has to know. */
export interface Condition {
  readonly kind: Kind;
  /** Whose or which, where there can be several at a time; else "". No customer's number. */
  readonly subject: string;
  /** What is the case and what to do, in sentences. No customer's text, no number that is not masked. */
  readonly text: string;
  readonly details: Details;
  /** It is told when it has lasted this long, ms. */
  readonly afterMs: number;
  /** How many there are, where they are counted; else 0. */
  readonly amount: number;
}

/** What is so now. Of kinds that are `unknown` nothing can be said: what was so may still be. */
export interface Reading {
  readonly conditions: readonly Condition[];
  readonly unknown: ReadonlySet<Kind>;
}

/** Something that has happened, and has no end. */
export interface Happening {
  /** The same each time that it is told of. */
  readonly id: string;
  readonly kind: Kind;
  readonly subject: string;
  readonly text: string;
  readonly details: Details;
}

export interface AlertLimits {
  /** What lasts is told again after this time, ms; 0: never. */
  readonly repeatMs: number;
  /** It must be away for so long, ms, before its end is told. */
  readonly calmMs: number;
}

interface AlertsParts extends TellingParts {
  store: AlertStore;
  limits: AlertLimits;
}

/**
 * What the operator is told of: once when it begins, again at intervals, once when it is over. What comes and goes is one
 * alert: its end is told when it has been away for a while, and where it is back soon after that, for ten times as long.
 * Alerts outlive the sidecar: one is neither told again as new after a restart, nor forgotten.
 */
export class Alerts {
  readonly #parts: AlertsParts;
  #limits: AlertLimits;
  readonly #telling: Telling;
  readonly #open = new Map<string, AlertRecord>();
  /** The last of each that is over: it may be back. */
  readonly #past = new Map<string, AlertRecord>();
  /** Since when what is not told yet is so, monotonic ms. */
  readonly #pending = new Map<string, { kind: Kind; since: number }>();
  readonly #started = Promise.withResolvers<void>();

  constructor(parts: AlertsParts) {
    this.#parts = parts;
    this.#limits = parts.limits;
    this.#telling = new Telling(parts);
  }

  /** Takes up what the last run left. What happens before that is told afterwards. */
  async start(): Promise<void> {
    const { store } = this.#parts;
    const [past, open] = await Promise.all([store.past(LOOKS_BACK), store.open(), this.#telling.start()]);
    for (const alert of past.toReversed()) this.#past.set(keyOf(alert), alert);
    // One of a newer release has nobody here who could end it.
    for (const alert of open) if (alert.kind in ALERTS) this.#open.set(keyOf(alert), alert);
    this.#started.resolve();
  }

  /** Those that last and were told, the oldest first. */
  get open(): readonly AlertRecord[] {
    return [...this.#open.values()];
  }

  /** How the ways to the operator are. */
  get channels() {
    return this.#telling.status;
  }

  /** Takes changed settings over: what waits goes by the new ways. */
  adopt(channels: readonly Channel[], limits: AlertLimits): void {
    this.#limits = limits;
    this.#telling.adopt(channels);
  }

  /** Begins, goes on with and ends alerts by what is so now. To be called every few seconds, and when something changes. */
  look({ conditions, unknown }: Reading): void {
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

  /** Tries every way with a notice that says it is a test. */
  test(): Promise<Tested[]> {
    return this.#telling.test();
  }

  /** Ends what is under way; what is not delivered yet is, after the next start. */
  close(): Promise<void> {
    return this.#telling.close();
  }

  /** It is so, and not told yet. */
  #consider(key: string, condition: Condition): void {
    const now = this.#parts.clock.uptimeMs();
    const { kind, afterMs } = condition;
    const { since } = this.#pending.get(key) ?? { since: now };
    if (now - since < afterMs) {
      this.#pending.set(key, { kind, since });
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
    const { clock, provenNow } = this.#parts;
    const [at, now] = [Math.round(clock.now()), provenNow()];
    const alert: AlertRecord = {
      ...{ id: `${kind}-${at}${subject === "" ? "" : `-${subject}`}`, kind, subject, text },
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
    const { repeatMs } = this.#limits;
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
    const what = titleOf(alert.kind as Kind, alert.subject);
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
    const { calmMs = this.#limits.calmMs }: AlertKind = ALERTS[kind];
    return calmMs;
  }
}

function keyOf({ kind, subject }: { kind: string; subject: string }): string {
  return `${kind} ${subject}`;
}

function comingsOf({ returns }: AlertRecord): string {
  return returns === 0 ? "" : ` (it came and went ${returns} time${returns === 1 ? "" : "s"})`;
}
