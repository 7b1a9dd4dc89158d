import { type Backoff, count, LogThrottle, steadyBackoffMs } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { LaneRunner } from "../lane-runner.ts";
import type { Verdict } from "../lanes.ts";
import type { ReportStore, SharedStore, WaitingReport } from "../store/index.ts";
import { StoreFaults } from "../store-faults.ts";
import type { HotBags } from "./hotbags.ts";
import { type Rule, ruleFor } from "./rules.ts";
import { ofReport } from "./sentences.ts";
import type { Symptom } from "./symptom.ts";

/** POSTs of reports under way at once. Those of messages are apart. */
export const REPORT_CONCURRENCY = 4;

/** Waits while Hot Bags takes no report, and of one that it refuses. */
const AWAY_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 5 * 60_000 };
const REFUSED_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 20 * 60_000 };

/** While Hot Bags takes no report, each failure is no news. One line in so long, ms. */
const LOG_EVERY_MS = 10 * 60_000;

export interface ReportingOptions {
  /** Where Hot Bags takes them, below its base URL; null: it wants none. */
  path: string | null;
  /** A report that was not taken for so long, ms, is given up. */
  maxAgeMs: number;
}

/** Of delivery reports, and of events. `maxRetryingMs`: as long as a message is tried again. */
export function reportingOptions({ reportsPath, eventsPath, maxRetryingMs }: PathsOfReports) {
  return {
    reports: { path: reportsPath, maxAgeMs: maxRetryingMs },
    events: { path: eventsPath, maxAgeMs: maxRetryingMs },
  };
}

interface PathsOfReports {
  reportsPath: string | null;
  eventsPath: string | null;
  maxRetryingMs: number;
}

/** What each kind is called, and the setting that switches it on. */
const KINDS = {
  reports: { one: "report", setting: "HOTBAGS_REPORTS_PATH" },
  events: { one: "event", setting: "HOTBAGS_EVENTS_PATH" },
} as const;

interface ReportingParts {
  kind: keyof typeof KINDS;
  store: SharedStore;
  hotbags: Pick<HotBags, "report">;
  clock: Clock;
  timers?: Timers | undefined;
  log: Logger;
  random: () => number;
}

/**
 * Why a lane of reports rests:
 * - `away`: Hot Bags takes no report. Over when it takes one.
 * - `backoff`: Hot Bags has refused this one. Nothing shortens that.
 * - `store`: the store could not be read or written.
 */
type Cause = "away" | "backoff" | "store";

/**
 * Tells Hot Bags what has become of its commands, or what has happened to the bridge: those of one lane in order, again until it works or it is of no
 * use any more. One that is refused holds no other; neither messages nor replies ever wait for any of it.
 */
export class Reporting {
  readonly #parts: ReportingParts;
  #options: ReportingOptions;
  readonly #reports: ReportStore;
  readonly #words: (typeof KINDS)[keyof typeof KINDS];
  readonly #faults: StoreFaults;
  readonly #lanes: LaneRunner<Cause>;
  readonly #throttle: LogThrottle;
  readonly #unsubscribe: readonly (() => void)[];
  #awayUntil = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #problem: string | null = null;

  constructor(parts: ReportingParts, options: ReportingOptions) {
    const { kind, store, clock, timers } = parts;
    this.#parts = parts;
    this.#reports = store[kind];
    this.#words = KINDS[kind];
    this.#options = options;
    this.#throttle = new LogThrottle({ everyMs: LOG_EVERY_MS, clock });
    this.#faults = new StoreFaults(parts);
    this.#lanes = new LaneRunner<Cause>({
      ...{ clock, timers, concurrency: REPORT_CONCURRENCY },
      gate: (now) => {
        if (this.#faults.isOutage) return { notBefore: Number.POSITIVE_INFINITY };
        return this.#awayUntil > now ? { notBefore: this.#awayUntil } : "due";
      },
      run: (lane) => this.#run(lane),
      failed: (lane, error) => this.#faults.failed(lane, error),
    });
    this.#unsubscribe = [
      this.#reports.onNew((lanes) => {
        for (const lane of lanes) this.#lanes.offer(lane);
      }),
      this.#faults.onRecovery(() => this.#lanes.release("store")),
    ];
  }

  /** Takes up what waits in the store. From now on reports are made, if Hot Bags wants any. Rejects when the store does. */
  async start(): Promise<void> {
    this.#turn();
    await this.takeUp();
  }

  /** What waits of an account that has become ours; without one, of all that are. */
  async takeUp(account?: string): Promise<void> {
    const { store, clock } = this.#parts;
    if (this.#options.path === null) return;
    for (const { lane, next_attempt_at } of await this.#reports.lanes(account)) {
      const waitMs = Math.min(Math.max(0, next_attempt_at - store.provenNow()), REFUSED_BACKOFF.maxMs);
      this.#lanes.schedule(lane, "backoff", clock.uptimeMs() + waitMs);
    }
  }

  /** Another process has written something of the account: it may have reports. */
  async look(account: string): Promise<void> {
    await this.takeUp(account);
  }

  /** An account is to be given back: resolves when the attempts that are under way have ended. */
  async leave(): Promise<void> {
    await this.#lanes.settled();
  }

  /** Goes on with another path, or none: what waits goes there, and at once. */
  adopt(options: ReportingOptions): void {
    const before = this.#options;
    this.#options = options;
    if (before.path === options.path) return;
    this.#turn();
    this.#awayUntil = Number.NEGATIVE_INFINITY;
    this.#problem = null;
    this.#lanes.release("away");
  }

  /** What an operator wants to know of it. `problem`: why Hot Bags takes none; null where it does, or wants none. */
  get status() {
    const reports = this.#reports;
    const broken = `${this.#words.one}s can't be written: a page of the database is damaged. None is made until the next start`;
    return {
      isOn: this.#options.path !== null,
      problem: reports.isBroken ? broken : this.#problem,
      isBroken: reports.isBroken,
    };
  }

  /** Begins no more attempts and waits for those under way. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await this.#lanes.stop();
  }

  #turn(): void {
    const { log } = this.#parts;
    const { one, setting } = this.#words;
    this.#reports.turn(this.#options.path !== null).then(
      (dropped) => {
        if (dropped > 0) log.warn(`${setting} is not set any more: ${count(dropped, one)} dropped`);
      },
      (error: unknown) => log.error({ err: error }, `${one}s that nobody wants any more can't be dropped`),
    );
  }

  /** Throws when the store fails. */
  async #run(lane: number): Promise<Verdict<Cause>> {
    const { hotbags } = this.#parts;
    const { path } = this.#options;
    const report = path === null ? undefined : await this.#reports.headOf(lane);
    if (path === null || !report) return "empty";
    const outcome = await hotbags.report(path, report);
    if (outcome.kind === "failed") return await this.#failed(report, outcome.symptom);
    await this.#reports.delivered(report.id);
    this.#faults.passed(lane);
    this.#taken();
    return "more";
  }

  #taken(): void {
    if (this.#problem !== null) this.#parts.log.info(`Hot Bags takes ${this.#words.one}s again`);
    this.#throttle.over();
    this.#problem = null;
    this.#failures = 0;
    this.#awayUntil = Number.NEGATIVE_INFINITY;
    this.#lanes.release("away");
  }

  async #failed(report: WaitingReport, symptom: Symptom): Promise<Verdict<Cause>> {
    const { store } = this.#parts;
    const rule = ruleFor(symptom);
    const text = ofReport(symptom, rule, this.#words.setting);
    this.#problem = text;
    const dropped = await this.#reports.dropOld(store.provenNow() - this.#options.maxAgeMs);
    if (dropped > 0) {
      const about = { dropped, alarm: true };
      this.#parts.log.error(about, `${count(dropped, this.#words.one)} to Hot Bags given up: too old. ${text}`);
    }
    return isAboutOne(rule) ? await this.#refused(report, symptom, text) : this.#away(symptom, rule, text);
  }

  /** All reports wait. Of several that fail at once the first decides for how long. */
  #away({ status, retryAfterMs = 0 }: Symptom, { name }: Rule, text: string): Verdict<Cause> {
    const { clock, random, log } = this.#parts;
    const now = clock.uptimeMs();
    if (this.#awayUntil <= now) {
      this.#failures += 1;
      this.#awayUntil = now + Math.max(retryAfterMs, steadyBackoffMs(AWAY_BACKOFF, this.#failures, random));
    }
    this.#throttle.log(() => log.warn({ status, rule: name }, `${this.#words.one}s wait: ${text}`), name);
    return { cause: "away", until: this.#awayUntil };
  }

  /** This one waits, and those of its command behind it. */
  async #refused(report: WaitingReport, { status, retryAfterMs = 0 }: Symptom, text: string): Promise<Verdict<Cause>> {
    const { store, clock, random, log } = this.#parts;
    const waitMs = Math.max(retryAfterMs, steadyBackoffMs(REFUSED_BACKOFF, report.attempts + 1, random));
    await this.#reports.refused(report.id, store.provenNow() + waitMs);
    const about = { report_id: report.key, status, wait_ms: Math.round(waitMs) };
    this.#throttle.log(() => log.warn(about, `${this.#words.one} refused, and is tried again: ${text}`), "refused");
    return { cause: "backoff", until: clock.uptimeMs() + waitMs };
  }
}

/** What says nothing of the other reports: they go on. */
function isAboutOne({ fault }: Rule): boolean {
  return fault === "contract" || fault === "nobody";
}
