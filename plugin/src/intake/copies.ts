import { rm } from "node:fs/promises";
import { setTimeout as after } from "node:timers/promises";
import { failpoint, type InboundMessage, LogThrottle, type MediaItem, OMITTED, reasonOf } from "@hotbags/shared";
import { guarded } from "../host/guard.ts";
import { type Log, line } from "../host/log.ts";
import { Semaphore } from "../host/semaphore.ts";
import type { MediaFolder } from "../outbox/media-folder.ts";
import type { Completed, Outbox, Row } from "../outbox/outbox.ts";
import { type Copied, copyFile } from "./copy.ts";

/** Bytes of files that may wait for the sidecar; those of messages in the making count too. */
const MAX_MEDIA_BYTES = 2 * 1024 ** 3;
/** Files copied at a time, each with 512 KiB of memory. */
const MAX_COPIES = 4;
/** Attempts at a copy while this process has too much open; after that the message goes without. */
const MAX_ATTEMPTS = 10;

export type CopiesOptions = {
  /** Runs an act on the outbox; false if it failed. Never throws. */
  withOutbox: (act: (outbox: Outbox) => void) => boolean;
  /** OpenClaw's folder for files that came in. */
  inbound: string;
  /** Bytes; read anew for each message. */
  maxFileBytes: () => number;
  log: Log;
  /** A message's files are settled: it may be sent. */
  onReady: (seq: number) => void;
  retryMs: number;
  maxMediaBytes?: number;
};

/** The files of a message on their way. Neither ever rejects. */
export type Settling = {
  /**
   * Resolves when the message is ready: with its files on disk, or with the reasons why not. Also when it was aborted;
   * it is still incomplete then.
   */
  done: Promise<void>;
  /** Resolves when it has to be tried again, as while the outbox can't be written: nobody knows how long it takes then. */
  delayed: Promise<void>;
};

/**
 * Copies the files of incomplete messages and makes the messages ready. What is to be copied is in the outbox, so that
 * any instance of the plugin can go on where another was stopped or killed.
 */
export class Copies {
  readonly #options: CopiesOptions;
  readonly #settling = new Map<number, Settling>();
  readonly #semaphore = new Semaphore(MAX_COPIES);
  readonly #logThrottle = new LogThrottle();
  #reservedBytes = 0;
  #stopping = new AbortController();
  #isStopped = false;

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** True while the files of this message are being copied here. */
  has(seq: number): boolean {
    return this.#settling.has(seq);
  }

  /** Begins to copy what this incomplete message has, unless that is under way. */
  settle(seq: number): Settling {
    const known = this.#settling.get(seq);
    if (known !== undefined) return known;
    const { signal } = this.#stopping;
    const delayed = Promise.withResolvers<void>();
    const done: Promise<void> = this.#settle(seq, signal, delayed.resolve)
      .catch((error) => (signal.aborted ? undefined : this.#failed(error)))
      .finally(() => this.#settling.delete(seq));
    const settling = { done, delayed: delayed.promise };
    this.#settling.set(seq, settling);
    return settling;
  }

  /** Waits for what is under way, at most `graceMs`, and gives up the rest. Messages after that are tried once. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    const stopping = this.#stopping;
    this.#stopping = new AbortController();
    const all = Promise.all([...this.#settling.values()].map(({ done }) => done));
    const abort = () => stopping.abort();
    const grace = setTimeout(guarded(abort, abort), graceMs);
    await all;
    clearTimeout(grace);
    stopping.abort();
  }

  async #settle(seq: number, signal: AbortSignal, onDelay: () => void): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const found: { row?: Row | undefined; folder?: MediaFolder } = {};
      const isRead = this.#options.withOutbox((outbox) => {
        found.row = outbox.get(seq);
        found.folder = outbox.media;
      });
      const { row, folder } = found;
      if (isRead && !row?.incomplete) return;
      const isLast = attempt >= MAX_ATTEMPTS;
      const outcome = row && folder && (await this.#copyAndComplete(row, folder, isLast, signal));
      // A more complete capture came while its files were copied: it has others perhaps.
      if (outcome === "changed") continue;
      if (outcome !== undefined || this.#isStopped) return;
      // The outbox can't be written, and says so itself. Everything is done anew then: the disk may be another one.
      onDelay();
      await after(this.#options.retryMs, undefined, { signal });
    }
  }

  /** Undefined if it is to be tried again later. */
  async #copyAndComplete(row: Row, folder: MediaFolder, isLast: boolean, signal: AbortSignal) {
    const message: InboundMessage = JSON.parse(row.body);
    let reservedBytes = 0;
    const reserve = (bytes: number) => {
      if (!this.#reserve(bytes)) return false;
      reservedBytes += bytes;
      return true;
    };
    const all = await Promise.allSettled((row.sources ?? []).map((path) => this.#copy(path, folder, reserve, signal)));
    const copied = all.map((one) => (one.status === "fulfilled" ? one.value : undefined));
    const copies = copied.filter((copy) => copy?.ok === true);
    try {
      signal.throwIfAborted();
      if (!isLast && all.some(({ status }) => status === "rejected")) return undefined;
      const media = message.media.map((item, n) => described(item, copied[n]));
      const done: { outcome?: Completed } = {};
      failpoint("copied:before-commit");
      this.#options.withOutbox((outbox) => {
        done.outcome = outbox.complete(row, { ...message, media }, copies);
      });
      failpoint("copied:after-commit");
      if (done.outcome === "ready") {
        this.#say(row, copied);
        this.#options.onReady(row.seq);
      }
      return done.outcome;
    } finally {
      this.#reservedBytes -= reservedBytes;
      await Promise.all(copies.map(({ part }) => rm(part, { force: true }).catch(() => undefined)));
    }
  }

  async #copy(source: string | null, folder: MediaFolder, reserve: (bytes: number) => boolean, signal: AbortSignal) {
    if (source === null) return undefined;
    const { inbound, maxFileBytes } = this.#options;
    const copy = () => copyFile(source, { inbound, folder, maxFileBytes: maxFileBytes(), reserve, signal });
    return this.#semaphore.run(copy, signal);
  }

  #reserve(bytes: number): boolean {
    let storedBytes = 0;
    this.#options.withOutbox((outbox) => {
      storedBytes = outbox.totals().fileBytes;
    });
    const limit = this.#options.maxMediaBytes ?? MAX_MEDIA_BYTES;
    if (storedBytes + this.#reservedBytes + bytes > limit) return false;
    this.#reservedBytes += bytes;
    return true;
  }

  /** Nothing that is known of. The message is still incomplete, and comes up again. */
  #failed(error: unknown): void {
    this.#logThrottle.log(() => this.#options.log.error(line({}, `files could not be copied: ${reasonOf(error)}`)));
  }

  #say(row: Row, copied: readonly (Copied | undefined)[]): void {
    const about = { account: row.account, chat: row.chat, messageId: row.messageId };
    for (const copy of copied) {
      if (copy === undefined || copy.ok) continue;
      this.#options.log.warn(line(about, `goes without one of its files: ${copy.omitted} (${copy.detail})`));
    }
    this.#options.log.info(line(about, "captured"));
  }
}

/** The item with its bytes, or with what is known without them. */
function described(item: MediaItem, copied: Copied | undefined): MediaItem {
  const { omitted: _, ...rest } = item;
  if (copied?.ok) return { ...rest, size_bytes: copied.sizeBytes, sha256: copied.sha256 };
  if (copied === undefined) return { ...rest, omitted: OMITTED.unreadable };
  return { ...rest, size_bytes: copied.sizeBytes, omitted: copied.omitted };
}
