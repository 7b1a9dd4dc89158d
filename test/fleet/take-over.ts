import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layCable } from "./cable.ts";
import { startDatabases, through } from "./databases.ts";

const CHILD = fileURLToPath(new URL("./sender.child.ts", import.meta.url));

/** As a sidecar would have them: renewed every 5 s, and another one asks every 2 s. */
export const TTL_MS = 15_000;
export const POLL_MS = 2_000;

export const ENDS = ["killed", "stopped", "cut off"] as const;

/** How long an account is without an owner that can do anything, ms, after its owner has ended so. */
export async function takeOver(end: (typeof ENDS)[number]): Promise<number> {
  const databases = await startDatabases();
  if (typeof databases === "string") throw new Error(databases);
  await using started = databases;
  const url = await started.make();
  await using cable = await layCable(started.host);
  const folder = mkdtempSync(join(tmpdir(), "hotbags-fleet-"));
  const sender = (address: string, name: string) =>
    fork(CHILD, [address, name, join(folder, "gateway"), String(TTL_MS), String(POLL_MS)]);
  const first = sender(through(cable.host, url), "first");
  await told(first, "owns");
  const second = sender(url, "second");
  await told(second, "waits");
  const ended = [first, second].map((child) => once(child, "exit"));
  // It has renewed its lease a while ago, as at any instant: whenever that was is up to chance.
  await started.server.rows("SELECT pg_sleep(5 * random())");
  const owns = told(second, "owns");
  const begun = performance.now();
  if (end === "cut off") cable.cut();
  else first.kill(end === "killed" ? "SIGKILL" : "SIGSTOP");
  await owns;
  const ms = performance.now() - begun;
  for (const child of [first, second]) child.kill("SIGKILL");
  await Promise.all(ended);
  rmSync(folder, { recursive: true, force: true });
  return ms;
}

async function told(child: ChildProcess, what: string): Promise<void> {
  for (;;) if ((await once(child, "message"))[0] === what) return;
}
