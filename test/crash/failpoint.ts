import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KILL_AT = fileURLToPath(new URL("./kill-at.mjs", import.meta.url));

/** Kills one process under test with SIGKILL exactly at a failpoint, once for each time that it is armed. */
export class Failpoint {
  readonly #folder = mkdtempSync(join(tmpdir(), "hotbags-crash-"));
  readonly #file = join(this.#folder, "at");
  /** The module that the process loads before anything else. */
  readonly module = KILL_AT;
  /** What that module needs in the process's environment. */
  readonly env = { HOTBAGS_CRASH_FILE: this.#file };

  constructor() {
    writeFileSync(this.#file, "");
  }

  /** The process dies when it comes to this failpoint the next time. Failpoints are named where they stand. */
  arm(failpoint: string): void {
    writeFileSync(this.#file, failpoint);
  }

  /** False once the process has come there. */
  get isArmed(): boolean {
    return readFileSync(this.#file, "utf8") !== "";
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
