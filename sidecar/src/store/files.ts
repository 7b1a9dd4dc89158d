import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, unlinkSync, utimesSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, failpoint, syncFolder } from "@hotbags/shared";
import type { Clock } from "../clock.ts";
import { type Appended, appendFile } from "./append-file.ts";
import { isForHumans, StoreUnusableError } from "./errors.ts";
import { FileLostError, readFile } from "./read-file.ts";

/** In the state folder. */
export const MEDIA_FOLDER = "media";

/** A whole file is named by its SHA-256; what has arrived of one that is not whole yet, with `.part` behind it. */
const NAME = /^([0-9a-f]{64})(\.part)?$/;

/** A file that no message has, or that is not whole, is thrown away when nobody has asked for it for this long. */
const KEEP_UNASKED_MS = 24 * 3_600_000;

/** There is no room on the disk, or none for this user. */
const DISK_FULL = new Set(["ENOSPC", "EDQUOT"]);

/** How an upload ended. `bytes` is what is here of the file now. */
export type Received = Appended | { kind: "wrong_offset"; bytes: number } | { kind: "no_room" };

export interface Upload {
  /** How many bytes the sender believes to be here already. */
  offset: number;
  /** Of the whole file, bytes. */
  length: number;
  /** The bytes from `offset` on. */
  body: AsyncIterable<Buffer>;
}

/** Where files are besides, for other processes to have them; null in a store that one process owns. */
export interface FilesElsewhere {
  /** Resolves when it is there. `read`: its bytes, from the beginning each time. */
  keep(sha256: string, sizeBytes: number, read: () => AsyncIterable<Buffer>): Promise<void>;
  /** Its bytes from this one on; none, or fewer, where they are not there. */
  read(sha256: string, offset: number): AsyncIterable<Buffer>;
}

/** Makes so many bytes free, if it can. Resolves with how many became free. */
type MakeRoom = (bytes: number) => Promise<number>;

/** The whole of a file, for somebody who does not own the store. Throws FileLostError. */
export async function readStoredFile(stateDir: string, sha256: string, sizeBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of readFile(join(stateDir, MEDIA_FOLDER, sha256), sizeBytes, sha256))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** The attachments' bytes: one file each below `media/`, named by their SHA-256, so that what comes twice is stored once. */
export class Files {
  readonly #folder: string;
  #limitBytes: number;
  readonly #time: Pick<Clock, "now">;
  readonly #makeRoom: MakeRoom;
  readonly #elsewhere: FilesElsewhere | null;
  /** Being written just now; each resolves when that is over. */
  readonly #receiving = new Map<string, Promise<void>>();
  #count = 0;
  /** On disk, with what was promised to uploads that are under way. */
  #bytes = 0;
  #givenUp = 0;

  /** Throws StoreUnusableError when the folder can't be used. */
  constructor(
    stateDir: string,
    limitBytes: number,
    time: Pick<Clock, "now">,
    makeRoom: MakeRoom = async () => 0,
    elsewhere: FilesElsewhere | null = null,
  ) {
    this.#folder = join(stateDir, MEDIA_FOLDER);
    this.#limitBytes = limitBytes;
    this.#time = time;
    this.#makeRoom = makeRoom;
    this.#elsewhere = elsewhere;
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
        `${this.#folder} can't be used (${codeOf(error) || String(error)}): check that it belongs to this user, and that its disk has room.`,
        { passes: !isForHumans(error) },
      );
    }
  }

  /** Goes on with another limit. What is kept beyond a lower one makes room when the next file comes. */
  adopt(limitBytes: number): void {
    this.#limitBytes = limitBytes;
  }

  /** What is kept: whole files, and the bytes of all with those that are promised to uploads under way. `givenUp`: files, since the start. */
  get status(): { count: number; bytes: number; limitBytes: number; givenUp: number } {
    return { count: this.#count, bytes: this.#bytes, limitBytes: this.#limitBytes, givenUp: this.#givenUp };
  }

  /**
   * Bytes of a whole file; undefined when it is not here. Having been asked for, it stays for another day, unless its room is needed. Throws when the disk can't be read.
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
   * Takes (the rest of) a file in, piece by piece as it comes. Resolves with `whole` when the file is on disk for good and its hash is right, and is
   * wherever others look for it. What arrived before an error stays. Rejects when `body` breaks or the disk refuses. One at a time of a file.
   */
  async receive(sha256: string, upload: Upload): Promise<Received> {
    const received = await this.#alone(sha256, () => this.#receive(sha256, upload));
    if (received.kind !== "whole" || (await this.keep(sha256)) !== undefined) return received;
    throw new Error("the file is gone again");
  }

  /**
   * Bytes of a whole file that is here, once it is wherever others look for it, too; undefined when it is not here. Rejects
   * when it can't be brought there, or the disk can't be read.
   */
  async keep(sha256: string): Promise<number | undefined> {
    const bytes = this.sizeOf(sha256);
    if (bytes === undefined || this.#elsewhere === null) return bytes;
    try {
      await this.#elsewhere.keep(sha256, bytes, () => this.read(sha256, bytes));
    } catch (error) {
      if (!(error instanceof FileLostError)) throw error;
      if (error.changed) this.#discardChanged(this.#pathOf(sha256));
      return undefined;
    }
    return bytes;
  }

  async #receive(sha256: string, { offset, length, body }: Upload): Promise<Received> {
    const whole = this.sizeOf(sha256);
    if (whole !== undefined) return { kind: "whole", bytes: whole };
    const part = this.#partOf(sha256);
    let had = sizeAt(part);
    // Of another length, so of other bytes: nothing could ever be put behind it.
    if (had > length) {
      this.#discard(part, had);
      had = 0;
    }
    if (offset !== had) return { kind: "wrong_offset", bytes: had };
    const missing = length - had;
    try {
      if (!(await this.#promise(missing))) return { kind: "no_room" };
      try {
        const rest = { sha256, had, length, now: this.#time.now(), body };
        return await appendFile({ part, whole: this.#pathOf(sha256) }, rest);
      } finally {
        // What is on disk takes the place of what was promised: a write that failed can have left any number of bytes.
        const here = statSync(this.#pathOf(sha256), { throwIfNoEntry: false });
        if (here) this.#count += 1;
        this.#bytes += (here?.size ?? sizeAt(part)) - had - missing;
        if (sizeAt(part) > 0) this.#touch(part);
      }
    } catch (error) {
      // The disk was full before the store was. It is tried again by its sender.
      if (DISK_FULL.has(codeOf(error))) await this.#makeRoom(missing);
      throw error;
    }
  }

  /** What is written of one file is written one after the other. */
  async #alone<T>(sha256: string, work: () => Promise<T>): Promise<T> {
    for (let other = this.#receiving.get(sha256); other; other = this.#receiving.get(sha256)) await other;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#receiving.set(sha256, promise);
    try {
      return await work();
    } finally {
      this.#receiving.delete(sha256);
      resolve();
    }
  }

  /** Sets so many bytes aside. False when there is no room for them, and none can be made. */
  async #promise(bytes: number): Promise<boolean> {
    for (;;) {
      const missing = this.#bytes + bytes - this.#limitBytes;
      if (missing <= 0) break;
      if (bytes > this.#limitBytes || (await this.#makeRoom(missing)) === 0) return false;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Throws a whole file away whose bytes are owed to nobody, for the room. Returns how many bytes became free: 0 when it was gone already. Throws when the disk refuses. */
  giveUp(sha256: string): number {
    const path = this.#pathOf(sha256);
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found) return 0;
    this.#discard(path, found.size);
    this.#count -= 1;
    this.#givenUp += 1;
    return found.size;
  }

  /** A whole file's bytes, as readFile gives them. Throws FileLostError. */
  read(sha256: string, sizeBytes: number): AsyncGenerator<Buffer> {
    return readFile(this.#pathOf(sha256), sizeBytes, sha256);
  }

  /**
   * Reads the file from end to end, and brings it here where only others have it. Throws FileLostError when nobody has what its name says; then what is
   * here is thrown away, so that it can be sent again. Rejects with another error when that can't be known now, or there is no room for it here.
   */
  async verify(sha256: string, sizeBytes: number): Promise<void> {
    try {
      for await (const _ of this.read(sha256, sizeBytes));
    } catch (error) {
      if (!(error instanceof FileLostError)) throw error;
      if (error.changed) this.#discardChanged(this.#pathOf(sha256));
      if (this.#elsewhere === null || !(await this.#bring(sha256, sizeBytes, this.#elsewhere))) throw error;
      // What can't be read, nor thrown away, is still in its place.
      for await (const _ of this.read(sha256, sizeBytes));
    }
  }

  /** Resolves with whether it is here now. */
  #bring(sha256: string, length: number, from: FilesElsewhere): Promise<boolean> {
    return this.#alone(sha256, async () => {
      for (;;) {
        const part = this.partSizeOf(sha256);
        const offset = part > length ? 0 : part;
        const received = await this.#receive(sha256, { offset, length, body: from.read(sha256, offset) });
        if (received.kind === "whole") return true;
        if (received.kind === "no_room" && length <= this.#limitBytes)
          throw Object.assign(new Error("there is no room for a file of another machine"), { code: "ENOSPC" });
        // Once more from the beginning, where what was here of it is of other bytes: that is thrown away.
        if (received.kind !== "wrong_hash" || offset === 0) return false;
      }
    });
  }

  /** Throws away what nobody has asked for within a day and no message has. Returns how many files are gone; rejects, after all others, when one can't be. */
  async sweep(isNeeded: (sha256: string) => boolean): Promise<number> {
    const before = this.#time.now() - KEEP_UNASKED_MS;
    let gone = 0;
    const errors: unknown[] = [];
    for await (const entry of await opendir(this.#folder)) {
      const [, sha256, part] = NAME.exec(entry.name) ?? [];
      if (sha256 === undefined || this.#receiving.has(sha256)) continue;
      const path = join(this.#folder, entry.name);
      // Looked at and thrown away without a pause: nobody can ask for it in between.
      try {
        const found = lstatSync(path, { throwIfNoEntry: false });
        if (!found || found.mtimeMs > before || (part === undefined && isNeeded(sha256))) continue;
        failpoint("delete-file:before");
        this.#discard(path, found.size);
      } catch (error) {
        errors.push(error);
        continue;
      }
      if (part === undefined) this.#count -= 1;
      gone += 1;
      failpoint("delete-file:after");
    }
    if (errors.length > 0) throw errors[0];
    return gone;
  }

  #takeStock(): void {
    for (const name of readdirSync(this.#folder)) {
      const [matches, , part] = NAME.exec(name) ?? [];
      if (matches === undefined) continue;
      const path = join(this.#folder, name);
      const found = statSync(path);
      if (part === undefined) this.#count += 1;
      this.#bytes += found.size;
      // Of another clock, or of a write that a crash cut: its day begins now, or it would stay until that time comes.
      if (found.mtimeMs > this.#time.now()) this.#touch(path);
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
    const now = new Date(this.#time.now());
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
