import { setTimeout as after } from "node:timers/promises";

/** Resolves when the condition holds, looked at every millisecond; fails after `timeoutMs` naming what was missed. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await after(1);
  }
}
