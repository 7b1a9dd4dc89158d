import { existsSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MEMORY_FOLDER = "/dev/shm";
/** Of memory, for all files that the unit tests have at once: 200 MB were seen. */
const UNIT_BYTES = 1024 ** 3;

/** Memory if it has room for so much, else the disk: what is tested waits for every write, and another program can hold up a disk for seconds. */
export function temporaryFolder(neededBytes: number): string {
  if (!existsSync(MEMORY_FOLDER)) return tmpdir();
  const { bavail, bsize } = statfsSync(MEMORY_FOLDER);
  return bavail * bsize >= neededBytes ? MEMORY_FOLDER : tmpdir();
}

/** Gives the unit tests one folder for all their temporary files, and removes it with what they have left behind. */
export default function prepareUnitTests(): () => void {
  const folder = mkdtempSync(join(temporaryFolder(UNIT_BYTES), "hotbags-unit-"));
  process.env["TMPDIR"] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
