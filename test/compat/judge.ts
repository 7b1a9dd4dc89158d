import type { Fact } from "./facts.ts";

/** One test, as vitest reports it. */
export interface Result {
  /** With the names of what it stands in. */
  name: string;
  status: "passed" | "failed" | "skipped" | "pending" | "todo" | "disabled";
  /** Why it failed; "" where it did not. */
  message: string;
}

export interface Verdict {
  said: string;
  verdict: "held" | "changed" | "not run";
  /** The first line of what failed. */
  why: string | null;
}

/** What the tests say of each fact. One that was not looked at whole is not said to hold. */
export function judge(facts: readonly Fact[], results: readonly Result[]): Verdict[] {
  return facts.map(({ said, tests }) => {
    const found = tests.map((name) => results.filter((result) => result.name.includes(name)));
    const failed = found.flat().find(({ status }) => status === "failed");
    if (failed) return { said, verdict: "changed", why: failed.message.split("\n")[0] ?? "" };
    const isWhole = found.every((some) => some.length > 0 && some.every(({ status }) => status === "passed"));
    return { said, verdict: isWhole ? "held" : "not run", why: null };
  });
}
