import { ruleFor } from "../../relay/rules.ts";
import type { Posted } from "../backend.ts";
import type { Context } from "./context.ts";

/** What a check found. */
export interface Verdict {
  status: "passed" | "failed" | "skipped";
  /** What was seen; where it was skipped, why. */
  seen: string;
  /** What to do; null where there is nothing. */
  todo: string | null;
}

/** One thing that a backend must do. */
export interface Check {
  name: string;
  /** What must hold, as a sentence. */
  rule: string;
  /** Without these it can't be told: it is skipped where one of them has not passed. */
  needs: readonly string[];
  run(context: Context): Promise<Verdict>;
}

export const pass = (seen: string): Verdict => ({ status: "passed", seen, todo: null });
export const fail = (seen: string, todo: string): Verdict => ({ status: "failed", seen, todo });
export const skip = (why: string): Verdict => ({ status: "skipped", seen: why, todo: null });

/** What the sidecar would say of it, and tell its operator to do. */
export function wrong({ outcome, status, said }: Posted): Verdict {
  if (outcome.kind === "answered") return fail(`Hot Bags answered ${status}`, "see Hot Bags' own log");
  const { symptom } = outcome;
  return fail(said === null ? symptom.seen : `${symptom.seen}: ${said}`, ruleFor(symptom).advice(symptom));
}

/** As a sentence says it. */
export function statusOf({ status, outcome }: Posted): string {
  if (status !== null) return String(status);
  return outcome.kind === "failed" ? `no answer (${outcome.symptom.seen})` : "no answer";
}

/** It was let in by nobody. */
export const isRefused = ({ status }: Posted): boolean => status !== null && status >= 400 && status < 500;
