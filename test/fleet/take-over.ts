import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layCable } from "./cable.ts";
import { startDatabases, through } from "./databases.ts";

const CHILD = fileURLToPath(new URL("./sender.child.ts", import.meta.url));

/** As a sidecar has them. */
export const TTL_MS = 15_000;
export const RENEW_MS = 5_000;
export const ASK_MS = 2_000;

export const ENDS = ["killed", "stopped", "cut off"] as const;

/** How long an account has no owner that can do anything, and is not its gateway's sidecar's after that is back, ms. */
interface Away {
  untilTakenOver: number;
  untilGivenBack: number;
}

/** The sidecar beside the gateway ends so, another one takes the account over, and the first one comes back. */
export async function takeOver(end: (typeof ENDS)[number]): Promise<Away> {
  const databases = await startDatabases();
  if (typeof databases === "string") throw new Error(databases);
  await using started = databases;
  const url = await started.make();
  await using cable = await layCable(started.host);
  const folder = mkdtempSync(join(tmpdir(), "hotbags-fleet-"));
  const children: ChildProcess[] = [];
  const sender = (address: string, name: string, account: string) => {
    const timing = [TTL_MS, RENEW_MS, ASK_MS, 0].map(String);
    const child = fork(CHILD, [address, name, join(folder, "gateway"), join(folder, "hot-bags"), ...timing, account]);
    children.push(child);
    return child;
  };
  // It has renewed its lease a while ago, as at any instant: whenever that was is up to chance.
  const passes = () => started.server.rows(`SELECT pg_sleep(${RENEW_MS / 1_000} * random())`);
  const first = sender(through(cable.host, url), "first", "shop");
  await told(first, "sends of shop");
  const second = sender(url, "second", "outlet");
  await told(second, "waits");
  await passes();
  const untilTakenOver = await took(told(second, "owns shop"), () => {
    if (end === "cut off") cable.cut();
    else first.kill(end === "killed" ? "SIGKILL" : "SIGSTOP");
  });
  await passes();
  const back = end === "killed" ? sender(url, "first", "shop") : first;
  const untilGivenBack = await took(told(back, "sends of shop"), () => {
    if (end === "cut off") cable.mend();
    else back.kill("SIGCONT");
  });
  const ended = children.filter(({ signalCode }) => signalCode === null).map((child) => once(child, "exit"));
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(ended);
  rmSync(folder, { recursive: true, force: true });
  return { untilTakenOver, untilGivenBack };
}

async function took(what: Promise<void>, begin: () => void): Promise<number> {
  const begun = performance.now();
  begin();
  await what;
  return performance.now() - begun;
}

function told(child: ChildProcess, what: string): Promise<void> {
  return new Promise((resolve) => child.on("message", (message) => message === what && resolve()));
}
