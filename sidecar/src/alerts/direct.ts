import { setTimeout as sleep } from "node:timers/promises";
import type { Attempt, Channel, Notice } from "./notice.ts";
import type { Tested } from "./test-notice.ts";

/** How often a way is tried, and how long it may take each time, ms: together less than a unit of systemd waits. */
const TRIES = 3;
const ATTEMPT_MS = 10_000;
/** Between two tries, ms. */
const PAUSE_MS = 5_000;

/**
 * Tells of something without the sidecar, which may be what has failed: nothing is written down, and nothing is tried for
 * longer than half a minute. Each way is tried for itself. Closes the ways. Never rejects.
 */
export async function tellDirectly(
  notice: Notice,
  channels: readonly Channel[],
  pauseMs = PAUSE_MS,
): Promise<Tested[]> {
  const told = await Promise.all(channels.map((channel) => tellBy(channel, notice, pauseMs)));
  await Promise.all(channels.map((channel) => channel.close()));
  return told;
}

async function tellBy(channel: Channel, notice: Notice, pauseMs: number): Promise<Tested> {
  let attempt: Attempt | undefined;
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (attempt) await sleep(pauseMs);
    attempt = await channel.send(notice, AbortSignal.timeout(ATTEMPT_MS));
    if (attempt.ok || !attempt.passes) break;
  }
  return { channel: channel.name, ok: attempt?.ok ?? false, reason: !attempt || attempt.ok ? null : attempt.why };
}
