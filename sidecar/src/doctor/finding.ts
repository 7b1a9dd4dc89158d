/** `warn`: it works, but may not for long, or nobody can tell. `skipped`: it could not be looked at, and that is no fault. */
export type Level = "ok" | "warn" | "fail" | "skipped";

/** What one look has found. No secret, no customer's words, no number that is not masked. */
export interface Finding {
  readonly level: Level;
  /** What was seen. */
  readonly seen: string;
  /** What to do; null where there is nothing to do. */
  readonly advice: string | null;
}

export const ok = (seen: string): Finding => ({ level: "ok", seen, advice: null });
export const skipped = (seen: string): Finding => ({ level: "skipped", seen, advice: null });
export const warn = (seen: string, advice: string): Finding => ({ level: "warn", seen, advice });
export const fail = (seen: string, advice: string): Finding => ({ level: "fail", seen, advice });
