import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KILL_AT = fileURLToPath(new URL("./kill-at.mjs", import.meta.url));

/** Kills one process under test with SIGKILL exactly at a step, once for each time that it is armed. */
export class CrashPoint {
  readonly #folder = mkdtempSync(join(tmpdir(), "hotbags-crash-"));
  readonly #file = join(this.#folder, "at");
  /** The module that the process loads before anything else. */
  readonly module = KILL_AT;
  /** What that module needs in the process's environment. */
  readonly env = { HOTBAGS_CRASH_FILE: this.#file };

  constructor() {
    writeFileSync(this.#file, "");
  }

  /** The process dies when it comes to this step the next time. Steps are named where they are taken. */
  arm(step: string): void {
    writeFileSync(this.#file, step);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
