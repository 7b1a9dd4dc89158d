import { existsSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const MEMORY_FOLDER = "/dev/shm";

/** Memory if it has room for so much, else the disk: what is tested waits for its writes, and other programs can hold up a disk for seconds. */
export function temporaryFolder(neededBytes: number): string {
  if (!existsSync(MEMORY_FOLDER)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
  return bavail * bsize >= neededBytes ? MEMORY_FOLDER : tmpdir();
}
