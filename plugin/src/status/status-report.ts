import { existsSync } from "node:fs";
import { join } from "node:path";
import { count, isAlive, reasonOf } from "@hotbags/shared";

import { type OutboxReport, reportOutbox } from "../outbox/report.ts";
import { lowDisk } from "./disk.ts";
import { BEAT_MS, readStatus, type Status, statusFile } from "./status.ts";

/** A gateway that is busy starting may miss a beat or two; after this, ms, something is wrong. */
const SILENT_MS = 6 * BEAT_MS;

export type StatusReport = {
  /** True if messages flow; else `problems` has a sentence for each reason, with what to do. */
  ok: boolean;
  problems: string[];
  now: number;
  gateway: { running: boolean; pid: number | null; openclaw_version: string | null; reported_at: number | null };
  link: Status["link"] | null;
  outbox: OutboxReport | null;
  in_memory: number | null;
  last_ack_at: number | null;
  disk: Status["disk"];
  hook: Status["hook"];
};

/**
 * How the bridge does, from what the plugin left in this state folder, whether a gateway runs or not. Never throws, and
 * writes nothing. Holds no text, token or whole number.
 */
export async function reportStatus(stateDir: string, nowMs: number): Promise<StatusReport> {
  const problems: string[] = [];
  const status = await readStatus(statusFile(stateDir)).catch((error: unknown) => {
    problems.push(`${statusFile(stateDir)} can't be read: ${reasonOf(error)}`);
    return undefined;
  });
  const running = status !== undefined && status.stopped_at === null && isAlive(status.pid);
  const link = status === undefined || running ? (status?.link ?? null) : asLeft(status);
  if (status === undefined && problems.length === 0) {
    problems.push(`the plugin has not run yet on ${stateDir}: start \`openclaw gateway\` with plugins.entries.hotbags`);
  } else if (status !== undefined && !running) {
    problems.push("no gateway is running: start it, customers' messages are lost when it stays away for over a minute");
  } else if (status !== undefined && nowMs - status.written_at > SILENT_MS) {
    problems.push(`the gateway (process ${status.pid}) has not reported for over a minute: it hangs; look at its log`);
  }
  if (running && link?.up === false) problems.push(`the link to the sidecar is down: ${link.why}`);
  const outbox = readOutbox(stateDir, problems);
  const dead = outbox?.set_aside ?? 0;
  if (dead > 0)
    problems.push(
      `${count(dead, "dead letter")} in the outbox, not sent by itself: \`openclaw hotbags parked list\` says why`,
    );
  const inMemory = running ? status.in_memory : null;
  if (inMemory !== null && inMemory > 0)
    problems.push(
      `${count(inMemory, "message is", "messages are")} only in memory: the outbox can't be written; the gateway's log says why`,
    );
  const full = running ? lowDisk(status.disk, stateDir) : undefined;
  if (full !== undefined) problems.push(full);
  return {
    ok: problems.length === 0,
    problems,
    now: nowMs,
    gateway: {
      running,
      pid: running ? status.pid : null,
      openclaw_version: status?.openclaw_version ?? null,
      reported_at: status?.written_at ?? null,
    },
    link,
    outbox,
    in_memory: inMemory,
    last_ack_at: status?.last_ack_at ?? null,
    disk: status?.disk ?? null,
    hook: status?.hook ?? null,
  };
}

/** The link of a gateway that is gone; after a kill the file still says that it is up. */
function asLeft({ link, written_at }: Status): Status["link"] {
  return link.up ? { ...link, up: false, since: written_at, why: "the gateway is gone" } : link;
}

function readOutbox(stateDir: string, problems: string[]): OutboxReport | null {
  const file = join(stateDir, "hotbags", "outbox.sqlite");
  if (!existsSync(file)) return null;
  try {
    return reportOutbox(file);
  } catch (error) {
    problems.push(`the outbox ${file} can't be read: ${reasonOf(error)}`);
    return null;
  }
}
