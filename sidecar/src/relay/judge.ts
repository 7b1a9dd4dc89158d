import type { Backoff } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import { Breaker } from "./breaker.ts";
import { Evidence, type Finding } from "./evidence.ts";
import { type Fault, type Rule, ruleFor } from "./rules.ts";
import * as sentence from "./sentences.ts";
import type { Symptom } from "./symptom.ts";

/** Once so many different messages have failed, all others wait; until then, those that were not tried are. */
const FIRM = 5;

/** Something that is wrong with Hot Bags as a whole, for the operator. */
export interface Alarm {
  readonly text: string;
  readonly fault: Fault;
  readonly status: number | null;
}

interface JudgeParts {
  clock: Clock;
  log: Logger;
  random: () => number;
  /** Waits between probes while all messages are held. */
  probeBackoff: Backoff;
  alarm(alarm: Alarm): void;
}

/** Why a message is POSTed: it is the next of its lane, or all are held and it is the probe, or those before it fail. */
export type Turn = "next" | "probe" | "behind";

/** A POST that is under way, and on what terms. */
export interface Attempt {
  readonly seq: number;
  readonly chat: number;
  /** It is out of its chat's lane: it was found at fault before. */
  readonly isDetached: boolean;
  /** `free`: nothing is held. `witness`: all are held, but few were asked yet. `probe`: to find out if it is over. */
  readonly terms: "free" | "witness" | "probe";
  /** The message had failed before, and not passed since. */
  readonly isRepeated: boolean;
  readonly passes: number;
  readonly openings: number;
}

export interface Judgement {
  readonly finding: Finding;
  readonly rule: Rule;
  /** What to say of it, with the advice. */
  readonly text: string;
  /** The operator must know of this message. */
  readonly isAlarm: boolean;
}

/** A message that fails: since when, monotonic ms, how often, and whether the operator was told of it. */
interface Story {
  since: number;
  failures: number;
  isTold: boolean;
}

/**
 * Says whose fault each failure is, from the rules and the evidence, holds all messages while it is the deployment's,
 * and tells the operator: once a trouble, and only what was seen. It reads and writes no message.
 */
export class Judge {
  readonly #parts: JudgeParts;
  readonly #evidence = new Evidence();
  readonly #breaker: Breaker;
  readonly #stories = new Map<number, Story>();
  /** Of the trouble that lasts: since when, and of which faults an alert was raised. What is said of a message is none. */
  #since: number | null = null;
  readonly #told = new Map<Fault, Alarm>();
  #witnesses = 0;
  #wasInVain = false;
  /** Messages that fail and were not taken for the next probe yet, so that another one may be. */
  readonly #satOut = new Set<number>();
  #hasFailedProbe = false;
  #lastSuccessAt: number | null = null;
  #lastFailure: { at: number; error: string } | null = null;
  /** `seq`: it may be this message alone. */
  #problem: { text: string; seq: number | null } | null = null;

  constructor(parts: JudgeParts) {
    this.#parts = parts;
    this.#breaker = new Breaker(parts.probeBackoff, parts.random);
  }

  /** What an operator wants to know. Times are wall-clock ms. */
  get status() {
    return {
      breakerOpen: this.#breaker.open,
      breakerOpenings: this.#breaker.openings,
      /** False: a probe has found that no message is taken. */
      reachable: !(this.#breaker.open && this.#hasFailedProbe),
      problem: this.#problem?.text ?? null,
      /** What is wrong with Hot Bags as a whole, while all messages are held for it. */
      alarms: this.#breaker.open ? [...this.#told.values()] : [],
      lastSuccessAt: this.#lastSuccessAt,
      lastFailure: this.#lastFailure,
    };
  }

  /** All messages are held. */
  get isHolding(): boolean {
    return this.#breaker.open;
  }

  /** When the next probe may go, monotonic ms; undefined while nothing is held. */
  get probeAt(): number | undefined {
    return this.#breaker.probeAt;
  }

  /** All are held on the word of few: a message that was not tried yet can tell more, and does not wait. */
  get wantsWitness(): boolean {
    return this.isHolding && this.#evidence.against + this.#witnesses < FIRM;
  }

  /** The last probe failed, and had before: a message that is out of its lane may be the next one. */
  get wantsDetached(): boolean {
    return this.isHolding && this.#wasInVain;
  }

  /** Whether a probe may go now. It must be told of by `begin`, or by `forgo`. */
  mayProbe(now: number): boolean {
    return this.#breaker.ask(now) === "probe";
  }

  /** The probe came to no POST. */
  forgo(): void {
    this.#breaker.forgo(this.#parts.clock.uptimeMs());
  }

  /**
   * A POST is to begin. Null: it would tell nothing new, and waits; another one may be the probe. To be ended by
   * `passed`, `failed` or `cancel`.
   */
  begin({ seq, chat }: { seq: number; chat: number }, isDetached: boolean, turn: Turn): Attempt | null {
    const isRepeated = this.#evidence.isFailing(seq);
    const terms = turn === "probe" ? "probe" : this.isHolding ? "witness" : "free";
    if (terms === "witness") {
      // It was let go when there were fewer, or none was held.
      if (isDetached || (turn !== "behind" && (isRepeated || !this.wantsWitness))) return null;
      this.#witnesses += 1;
    }
    if (terms === "probe") {
      // One that fails by itself would never find out that the others could pass: each other lane comes before it.
      if (isRepeated && !this.#satOut.has(seq)) {
        this.#satOut.add(seq);
        return null;
      }
      this.#satOut.clear();
    }
    return {
      seq,
      chat,
      isDetached,
      terms,
      isRepeated,
      passes: this.#evidence.passes,
      openings: this.#breaker.openings,
    };
  }

  /** The POST told nothing. */
  cancel(attempt: Attempt): void {
    this.#end(attempt);
    if (attempt.terms === "probe") this.forgo();
  }

  /** Hot Bags took the message. Returns true when that ended a hold. */
  passed(attempt: Attempt): boolean {
    this.#end(attempt);
    this.#lastSuccessAt = this.#parts.clock.now();
    this.#stories.delete(attempt.seq);
    this.#evidence.passed(attempt.seq);
    // It began before all were held: that it passes in the end is no reason to let all go; the next probe will tell.
    if (this.isHolding && attempt.openings !== this.#breaker.openings) return false;
    this.#since = null;
    this.#told.clear();
    this.#problem = null;
    if (!this.isHolding) return false;
    this.#parts.log.info("Hot Bags answers again");
    this.#endHold();
    return true;
  }

  /** Whose fault it is that the message was not taken. `endsHold`: it shows that a hold has no ground any more. */
  failed(attempt: Attempt, symptom: Symptom): Judgement & { endsHold: boolean } {
    this.#end(attempt);
    if (attempt.terms === "probe") this.#wasInVain = attempt.isRepeated && !attempt.isDetached;
    const rule = ruleFor(symptom);
    const now = this.#parts.clock.uptimeMs();
    // What failed before, apart from the others, is no beginning of a trouble of all.
    if (!attempt.isDetached) this.#since ??= now;
    const finding = this.#evidence.failed(attempt.seq, rule, attempt.passes, attempt.isDetached, attempt.chat);
    const text = sentence.ofFailure(symptom, rule);
    this.#lastFailure = { at: this.#parts.clock.now(), error: text };
    if (finding === "deployment") {
      this.#hold(attempt, symptom, rule, now);
      return { finding, rule, text, isAlarm: false, endsHold: false };
    }
    const told = this.#tellOfMessage(attempt, finding, symptom, rule, now);
    if (finding === "message") this.forget(attempt.seq);
    const endsHold = this.isHolding && rule.fault !== "nobody" && !this.#evidence.isAgainstAll;
    if (endsHold) this.#endHold();
    else if (attempt.terms === "probe") this.#breaker.failed(now);
    return { finding, rule, endsHold, ...told };
  }

  /** A message behind it in its chat has passed right after it had failed again: its next failure is its own. */
  suspect(seq: number): void {
    this.#evidence.suspect(seq);
  }

  /** The message is settled, or has left its lane. */
  forget(seq: number): void {
    this.#evidence.forget(seq);
    this.#stories.delete(seq);
    if (this.#problem?.seq === seq) this.#problem = null;
  }

  #end({ terms }: Attempt): void {
    if (terms === "witness") this.#witnesses -= 1;
  }

  #hold({ terms }: Attempt, symptom: Symptom, rule: Rule, now: number): void {
    if (!this.isHolding) {
      this.#breaker.trip(now, symptom.retryAfterMs);
      this.#parts.log.warn(
        { status: symptom.status, rule: rule.name },
        `${symptom.seen}; all messages wait for a probe to pass`,
      );
    } else if (terms === "probe") {
      this.#hasFailedProbe = true;
      this.#breaker.failed(now, symptom.retryAfterMs);
    }
    // Until then it may have been a moment, or some messages that fail by themselves and came together.
    if (!this.#hasFailedProbe) return;
    const text = sentence.ofDeployment(symptom, rule, this.#evidence.against, this.#evidence.isAgainstOneChat);
    this.#problem = { text, seq: null };
    if (now - (this.#since ?? now) < rule.alarmAfterMs) return;
    const alarm = { text, fault: rule.fault, status: symptom.status };
    const isNew = !this.#told.has(rule.fault);
    this.#told.set(rule.fault, alarm);
    if (isNew) this.#parts.alarm(alarm);
  }

  #endHold(): void {
    this.#breaker.close();
    this.#hasFailedProbe = false;
    this.#satOut.clear();
    this.#wasInVain = false;
    if (this.#problem?.seq === null) this.#problem = null;
  }

  #tellOfMessage(
    { seq, isDetached }: Pick<Attempt, "seq" | "isDetached">,
    finding: Finding,
    symptom: Symptom,
    rule: Rule,
    now: number,
  ): { text: string; isAlarm: boolean } {
    const plain = { text: sentence.ofFailure(symptom, rule), isAlarm: false };
    if (isDetached) return plain;
    const story = this.#stories.get(seq) ?? { since: now, failures: 0, isTold: false };
    story.failures += 1;
    this.#stories.set(seq, story);
    const isLasting = finding === "alone" && now - story.since >= rule.alarmAfterMs;
    if (story.isTold || !(finding === "message" || isLasting || rule.alarmAtOnce)) return plain;
    story.isTold = true;
    if (finding === "message") return { text: sentence.ofMessage(symptom, rule), isAlarm: true };
    const text = sentence.ofLone(symptom, rule, story.failures);
    this.#problem = { text, seq };
    return { text, isAlarm: true };
  }
}
