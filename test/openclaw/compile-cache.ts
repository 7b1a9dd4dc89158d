import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CACHE } from "./places.ts";

const FOLDER = join(CACHE, "compile-cache");

/**
 * About 6,000 files of a cache are of use. Each start adds about 1,000 (11 MB) that are not: OpenClaw loads plugins from copies, whose
 * paths, by which Node finds compiled code again, are new each time.
 */
const MAX_FILES = 20_000;

/** The folder where all gateways keep OpenClaw's compiled code, emptied when it has grown too large. It saves 4 s of CPU a start. */
export async function compileCache(): Promise<string> {
  const files = await readdir(FOLDER, { recursive: true }).catch(() => []);
  if (files.length > MAX_FILES) await remove(FOLDER);
  return FOLDER;
}

/** Out of the way first: gateways that run now may add files to it while it is removed. */
async function remove(folder: string): Promise<void> {
  const away = await mkdtemp(join(CACHE, "removing-"));
  try {
    await rename(folder, away);
  } catch (error) {
    // Another process was faster.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  await rm(away, { recursive: true, force: true, maxRetries: 3 });
}
