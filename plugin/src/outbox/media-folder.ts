import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, rmSync } from "node:fs";
import { opendir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf, failpoint, syncFolder } from "@hotbags/shared";

const SHA256 = /^[0-9a-f]{64}$/;
/** Names in the folder that are looked at in one turn of the event loop. */
const SWEEP_BATCH = 64;

/**
 * This process, over all the instances of the plugin in it: a copy under another name is nobody's any more. The process
 * id alone would not do, a container's is always the same.
 */
const PROCESS = `${process.pid}-${Math.round(performance.timeOrigin)}`;

/**
 * Our copies of customers' files, each under its SHA-256, and copies in the making (`*.part`). Whether a file is needed
 * is the outbox's to say; `keep` and `discard` are called under the outbox's write lock, so that no other instance can
 * throw away what this one is about to refer to.
 */
export class MediaFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  pathOf(sha256: string): string {
    return join(this.path, sha256);
  }

  /** A path for a copy in the making. The folder is on disk when this returns. */
  newPart(): string {
    if (mkdirSync(this.path, { recursive: true, mode: 0o700 }) !== undefined) syncFolder(dirname(this.path));
    return join(this.path, `${PROCESS}-${randomUUID()}.part`);
  }

  /** Gives whole copies their names; they are on disk under those when this returns. The same bytes are kept once. */
  keep(copies: readonly { sha256: string; part: string }[]): void {
    if (copies.length === 0) return;
    failpoint("copy:before-rename");
    // Links, so that a commit that fails after this can be tried again: the copy still has its first name too.
    for (const { sha256, part } of copies) {
      try {
        linkSync(part, this.pathOf(sha256));
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
    }
    syncFolder(this.path);
    failpoint("copy:after-rename");
  }

  discard(sha256: string): void {
    failpoint("discard:before");
    rmSync(this.pathOf(sha256), { force: true });
    failpoint("discard:after");
  }

  /** Removes what a killed process left half copied, and hands out all names of whole files, some at a time. */
  async *sweep(): AsyncGenerator<string[]> {
    let batch: string[] = [];
    for await (const { name } of await opendir(this.path)) {
      if (name.endsWith(".part") && !name.startsWith(`${PROCESS}-`)) await rm(join(this.path, name), { force: true });
      if (SHA256.test(name)) batch.push(name);
      if (batch.length < SWEEP_BATCH) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  }
}
