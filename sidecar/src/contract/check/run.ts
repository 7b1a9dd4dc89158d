import { randomBytes } from "node:crypto";
import { Backend, type BackendUnderTest } from "../backend.ts";
import { TEST_GROUP, TEST_NUMBER } from "../test-message.ts";
import type { Check, Verdict } from "./check.ts";
import { Context } from "./context.ts";
import { GATE_CHECKS } from "./gate-checks.ts";
import { KEY_CHECKS, LATE_KEY_CHECKS } from "./key-checks.ts";
import { LATE_MESSAGE_CHECKS, MESSAGE_CHECKS } from "./message-checks.ts";
import { PING_CHECKS } from "./ping-check.ts";
import { REPORT_CHECKS } from "./report-checks.ts";
import { SECRET_CHECKS } from "./secret-checks.ts";

/** As many as any check needs at once. */
const CONNECTIONS = 20;

/** All checks, in the order in which they are run. */
export const CHECKS: readonly Check[] = [
  ...GATE_CHECKS,
  ...SECRET_CHECKS,
  ...PING_CHECKS,
  ...KEY_CHECKS,
  ...MESSAGE_CHECKS,
  ...REPORT_CHECKS,
  ...LATE_KEY_CHECKS,
  ...LATE_MESSAGE_CHECKS,
];

export interface Checked extends Verdict {
  name: string;
  rule: string;
  /** It was not asked at all, since a check that it needs has not passed. */
  isBlocked: boolean;
  durationMs: number;
}

/** What a run found, and left behind. */
export interface Report {
  url: string;
  at: string;
  run: string;
  checks: Checked[];
  /**
   * Messages that the backend took, and those of which it gave no answer that tells. None was of a customer; nothing of
   * its answers was sent to anybody.
   */
  leftBehind: { messages: number; perhaps: number; keysBegin: string; chats: string[] };
}

export interface CheckOptions {
  /** An answer that comes later is too slow, ms. */
  slowMs: number;
  /** Told of each check as it ends. */
  onChecked?(checked: Checked): void;
}

/** Runs every check against a backend. What can't be told, because another check did not pass, is skipped. */
export async function checkContract(target: BackendUnderTest, { slowMs, onChecked }: CheckOptions): Promise<Report> {
  const run = randomBytes(4).toString("hex");
  const backend = new Backend(target, CONNECTIONS);
  const context = new Context(backend, run, slowMs);
  const done = new Map<string, Checked>();
  const at = new Date().toISOString();
  try {
    for (const check of CHECKS) {
      const checked = await runCheck(check, context, done);
      done.set(check.name, checked);
      onChecked?.(checked);
    }
  } finally {
    await backend.close();
  }
  const perhaps = [...context.unknown].filter((key) => !context.taken.has(key)).length;
  const chats = [TEST_NUMBER, TEST_GROUP];
  const leftBehind = { messages: context.taken.size, perhaps, keysBegin: `CHECK-${run}-`, chats };
  return { url: `${target.url.origin}${target.url.pathname}`, at, run, checks: [...done.values()], leftBehind };
}

async function runCheck({ name, rule, needs, run }: Check, context: Context, done: ReadonlyMap<string, Checked>) {
  const missing = needs.find((need) => done.get(need)?.status !== "passed");
  // A line for each check that finds nobody would bury the one after which it went.
  const why = context.isGone ? "nobody is there any more" : missing === undefined ? null : `${missing} did not pass`;
  const begun = performance.now();
  const verdict: Verdict = why === null ? await run(context) : { status: "skipped", seen: why, todo: null };
  return {
    name,
    rule,
    ...verdict,
    isBlocked: why !== null,
    durationMs: Math.round(performance.now() - begun),
  };
}
