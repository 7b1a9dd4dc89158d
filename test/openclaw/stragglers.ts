import { readdir, readFile } from "node:fs/promises";

/** In the environment of a gateway and of all that it starts: its own folder. */
export const MARK = "HOTBAGS_TEST_GATEWAY";

/** A process may start another between being found and being killed. */
const MAX_ROUNDS = 10;

/**
 * Kills every process that is marked with this folder. OpenClaw starts its helpers in sessions of their own, where a kill of its process
 * group does not reach them; one that outlives a killed gateway would keep locks on its state. Linux only; elsewhere it does nothing.
 */
export async function killStragglers(root: string): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = await marked(root);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

async function marked(root: string): Promise<number[]> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.map(Number).filter((pid) => pid > 0);
  const are = await Promise.all(pids.map((pid) => isMarked(pid, root)));
  return pids.filter((_, index) => are[index]);
}

async function isMarked(pid: number, root: string): Promise<boolean> {
  // Gone in the meantime, ending, or somebody else's.
  const environ = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  return environ.split("\0").includes(`${MARK}=${root}`);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
