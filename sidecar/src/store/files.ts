import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  createReadStream,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  unlinkSync,
  utimesSync,
} from "node:fs";
import { type FileHandle, open, opendir, rename } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, step } from "@hotbags/shared";
import type { Clock } from "../clock.ts";
import { StoreUnusableError } from "./errors.ts";
import { FileLostError, readFile } from "./read-file.ts";

const FOLDER = "media";

/** A whole file is named by its SHA-256; what has arrived of one that is not whole yet, with `.part` behind it. */
const NAME = /^([0-9a-f]{64})(\.part)?$/;

/** A file that no message has, or that is not whole, is thrown away when nobody has asked for it for this long. */
const KEEP_UNASKED_MS = 24 * 3_600_000;

/** How an upload ended. `bytes` is what is here of the file now. */
export type Received =
  | { kind: "whole" | "part" | "wrong_offset"; bytes: number }
  | { kind: "wrong_hash" | "too_long" | "no_room" };

export interface Upload {
  /** How many bytes the sender believes to be here already. */
  offset: number;
  /** Of the whole file, bytes. */
  length: number;
  /** The bytes from `offset` on. */
  body: AsyncIterable<Buffer>;
}

/** The attachments' bytes: one file each below `media/`, named by their SHA-256, so that what comes twice is stored once. */
export class Files {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #clock: Clock;
  /** Being written just now. */
  readonly #receiving = new Set<string>();
  #count = 0;
  /** On disk, with what was promised to uploads that are under way. */
  #bytes = 0;

  /** Throws StoreUnusableError when the folder can't be used. */
  constructor(stateDir: string, limitBytes: number, clock: Clock) {
    this.#folder = join(stateDir, FOLDER);
    this.#limitBytes = limitBytes;
    this.#clock = clock;
    try {
      const made = mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      chmodSync(this.#folder, 0o700);
      // A folder that a power cut takes away would take every file in it along.
      if (made !== undefined) syncFolder(stateDir);
      // A crash may have come between a file's renaming and this.
      syncFolder(this.#folder);
      this.#takeStock();
    } catch (error) {
      throw new StoreUnusableError(
        `${this.#folder} can't be used (${codeOf(error) || String(error)}): check that it belongs to this user`,
      );
    }
  }

  /** What is kept: whole files, and the bytes of all with those that are promised to uploads under way. */
  get status(): { count: number; bytes: number; limitBytes: number } {
    return { count: this.#count, bytes: this.#bytes, limitBytes: this.#limitBytes };
  }

  /**
   * Bytes of a whole file; undefined when it is not here. Having been asked for, it stays for another day: nothing is thrown away between the check of
   * a message and its commit. Throws when the disk can't be read.
   */
  sizeOf(sha256: string): number | undefined {
    const path = this.#pathOf(sha256);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found) this.#touch(path);
    return found?.size;
  }

  /** Bytes that are here of a file that is not whole yet; 0 when there is nothing of it. */
  partSizeOf(sha256: string): number {
    return sizeAt(this.#partOf(sha256));
  }

  /**
   * Takes (the rest of) a file in, piece by piece as it comes. Resolves with `whole` when the file is on disk for good and its hash is right. What arrived
   * before an error stays. Rejects when `body` breaks or the disk refuses. One upload a file at a time: the caller sees to that.
   */
  async receive(sha256: string, { offset, length, body }: Upload): Promise<Received> {
    const whole = this.sizeOf(sha256);
    if (whole !== undefined) return { kind: "whole", bytes: whole };
    const path = this.#partOf(sha256);
    let had = sizeAt(path);
    // Of another length, so of other bytes: nothing could ever be put behind it.
    if (had > length) {
      this.#discard(path, had);
      had = 0;
    }
    if (offset !== had) return { kind: "wrong_offset", bytes: had };
    const rest = length - had;
    if (this.#bytes + rest > this.#limitBytes) return { kind: "no_room" };
    this.#bytes += rest;
    this.#receiving.add(sha256);
    try {
      return await this.#append(sha256, path, had, length, body);
    } finally {
      this.#receiving.delete(sha256);
      // What is on disk takes the place of what was promised: a write that failed can have left any number of bytes.
      this.#bytes += Math.max(sizeAt(path), sizeAt(this.#pathOf(sha256))) - had - rest;
      if (sizeAt(path) > 0) this.#touch(path);
    }
  }

  async #append(sha256: string, path: string, had: number, length: number, body: AsyncIterable<Buffer>) {
    const hash = createHash("sha256");
    if (had > 0) for await (const piece of createReadStream(path)) hash.update(piece);
    const file = await open(path, "a", 0o600);
    try {
      let size = had;
      for await (const piece of body) {
        if (size + piece.length > length) return { kind: "too_long" } as const;
        await file.appendFile(piece);
        hash.update(piece);
        size += piece.length;
      }
      if (size < length) return { kind: "part", bytes: size } as const;
      if (hash.digest("hex") !== sha256) {
        unlinkSync(path);
        return { kind: "wrong_hash" } as const;
      }
      await this.#keep(file, path, this.#pathOf(sha256));
      return { kind: "whole", bytes: size } as const;
    } finally {
      await file.close();
    }
  }

  /** Makes a part a whole file, so that a power cut leaves either. */
  async #keep(file: FileHandle, part: string, whole: string): Promise<void> {
    const now = new Date(this.#clock.now());
    await file.utimes(now, now);
    await file.sync();
    step("file:before-commit");
    await rename(part, whole);
    this.#count += 1;
    const folder = await open(this.#folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    step("file:after-commit");
  }

  /** A whole file's bytes, as readFile gives them. Throws FileLostError. */
  read(sha256: string, sizeBytes: number): AsyncGenerator<Buffer> {
    return readFile(this.#pathOf(sha256), sizeBytes, sha256);
  }

  /** Reads the file from end to end. Throws FileLostError when it is not what its name says; then it is thrown away, so that it can be sent again. */
  async verify(sha256: string, sizeBytes: number): Promise<void> {
    try {
      for await (const _ of this.read(sha256, sizeBytes));
    } catch (error) {
      if (error instanceof FileLostError && error.changed) this.#discardChanged(this.#pathOf(sha256));
      throw error;
    }
  }

  /** Throws away what nobody has asked for within a day and no message has. Returns how many files are gone; rejects, after all others, when one can't be. */
  async sweep(isNeeded: (sha256: string) => boolean): Promise<number> {
    const before = this.#clock.now() - KEEP_UNASKED_MS;
    let gone = 0;
    const errors: unknown[] = [];
    for await (const entry of await opendir(this.#folder)) {
      const [, sha256, part] = NAME.exec(entry.name) ?? [];
      if (sha256 === undefined || this.#receiving.has(sha256)) continue;
      const path = join(this.#folder, entry.name);
      // Looked at and thrown away without a pause: nobody can ask for it in between.
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (!found || found.mtimeMs > before || (part === undefined && isNeeded(sha256))) continue;
      step("delete-file:before");
      try {
        this.#discard(path, found.size);
      } catch (error) {
        errors.push(error);
        continue;
      }
      if (part === undefined) this.#count -= 1;
      gone += 1;
      step("delete-file:after");
    }
    if (errors.length > 0) throw errors[0];
    return gone;
  }

  #takeStock(): void {
    for (const name of readdirSync(this.#folder)) {
      const [matches, , part] = NAME.exec(name) ?? [];
      if (matches === undefined) continue;
      if (part === undefined) this.#count += 1;
      this.#bytes += sizeAt(join(this.#folder, name));
    }
  }

  #discard(path: string, sizeBytes: number): void {
    unlinkSync(path);
    this.#bytes -= sizeBytes;
  }

  /** What can't be thrown away stays, and is found again by the next sweep: it must not keep its message from going. */
  #discardChanged(path: string): void {
    try {
      this.#discard(path, sizeAt(path));
      this.#count -= 1;
    } catch {}
  }

  #touch(path: string): void {
    const now = new Date(this.#clock.now());
    utimesSync(path, now, now);
  }

  #pathOf(sha256: string): string {
    return join(this.#folder, sha256);
  }

  #partOf(sha256: string): string {
    return `${this.#pathOf(sha256)}.part`;
  }
}

function sizeAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
