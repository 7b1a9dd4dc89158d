import { write, writeSync } from "node:fs";
import { codeOf } from "@hotbags/shared";

/** Lines that can't be written yet are kept up to this, bytes: some minutes of a busy day. What comes beyond it is dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** Wait before what the disk refused is tried again, ms. */
const RETRY_MS = 1_000;

/** The first line goes at once; those that come while it is written are gathered for so long, ms: each write wakes another thread. */
const GATHER_MS = 10;

/** What is missing from the log, and the code of the error that was the reason. */
export interface Gap {
  dropped: number;
  code: string;
}

/**
 * Writes lines to a file descriptor without ever being waited for: on a full disk, or before a reader that reads no more, they are kept, then
 * dropped and counted. pino's own destination ends the process with the first error that has no listener, and at the end of the process tries a full
 * disk for ever (sonic-boom's flushSync).
 */
export class LogOutput {
  readonly #descriptor: number;
  readonly #onGap: (gap: Gap) => void;
  #waiting: string[] = [];
  /** Being written, or the rest of it. */
  #chunk: Buffer = Buffer.alloc(0);
  /** Of both. */
  #bytes = 0;
  #isWriting = false;
  #pause: NodeJS.Timeout | undefined;
  #dropped = 0;
  #isTellingGap = false;
  #code = "";

  /** `onGap` is told, when lines can be written again, of those that were dropped: it stands where they would. */
  constructor(descriptor: number, onGap: (gap: Gap) => void) {
    this.#descriptor = descriptor;
    this.#onGap = onGap;
    process.once("exit", () => this.#writeLast());
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > MAX_WAITING_BYTES && !this.#isTellingGap) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#bytes += bytes;
    this.#pump();
  }

  #pump(): void {
    if (this.#isWriting || this.#pause || this.#bytes === 0) return;
    if (this.#chunk.length === 0) this.#chunk = Buffer.from(this.#waiting.splice(0).join(""));
    this.#isWriting = true;
    write(this.#descriptor, this.#chunk, (error, written) => {
      this.#isWriting = false;
      if (error) this.#refused(codeOf(error));
      else this.#wrote(written);
    });
  }

  #wrote(bytes: number): void {
    this.#chunk = this.#chunk.subarray(bytes);
    this.#bytes -= bytes;
    if (this.#dropped > 0) this.#tellGap();
    if (this.#chunk.length > 0) this.#pump();
    else if (this.#bytes > 0) this.#pumpAfter(GATHER_MS);
  }

  /** Behind what is kept and before what comes now; it has its place, however full it is. */
  #tellGap(): void {
    this.#isTellingGap = true;
    this.#onGap({ dropped: this.#dropped, code: this.#code });
    this.#isTellingGap = false;
    this.#dropped = 0;
  }

  #refused(code: string): void {
    this.#code = code;
    this.#pumpAfter(RETRY_MS);
  }

  #pumpAfter(ms: number): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#pump();
    }, ms);
    // The end of the process does not wait for a disk.
    this.#pause.unref();
  }

  /** Once, at the end of the process: what the disk refuses now is lost. */
  #writeLast(): void {
    try {
      let rest = Buffer.concat([this.#isWriting ? Buffer.alloc(0) : this.#chunk, Buffer.from(this.#waiting.join(""))]);
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#descriptor, rest));
    } catch {}
  }
}
