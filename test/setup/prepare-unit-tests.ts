import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../openclaw/places.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** For all files that the unit tests have at once. The largest, a database that grows, takes 40 MB; the rest is room to spare. */
const NEEDED_BYTES = 1024 ** 3;

/**
 * Gives the unit tests one folder for all their temporary files, which is removed with what they leave behind, and Node's compiled code
 * of earlier runs: they start more than a hundred processes, each of which would compile the same files again.
 */
export default function prepareUnitTests(): void {
  const folder = mkdtempSync(join(temporaryFolder(NEEDED_BYTES), "hotbags-unit-"));
  process.env["TMPDIR"] = folder;
  process.env["NODE_COMPILE_CACHE"] ??= join(CACHE, "compile-cache-of-tests");
  // Not vitest's own teardown, which a Ctrl-C leaves out: what stays in memory would stay until the machine is started again.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}
