import { open } from "node:fs/promises";
import { setTimeout as after } from "node:timers/promises";
import {
  backoffMs,
  codeOf,
  failpoint,
  isShortage,
  LogThrottle,
  MEDIA_PATH,
  OMITTED,
  type Omitted,
  reasonOf,
} from "@hotbags/shared";
import type { LinkConfig } from "../host/config.ts";
import { type Log, line } from "../host/log.ts";
import { Semaphore } from "../host/semaphore.ts";
import type { StoredFile } from "../outbox/stored-files.ts";
import { type Answer, request } from "./media-request.ts";

/** Files on their way at a time; each takes one connection to the sidecar and 64 KiB. */
const MAX_UPLOADS = 4;
/** Times that a file may turn out to be other bytes than its name says, or unreadable, until it counts as lost. */
const MAX_BAD_READS = 3;

export type UploadTiming = {
  /** First and longest wait before a failed upload is tried again. */
  retryMs: number;
  retryMaxMs: number;
  /** A connection on which nothing moves for so long is given up. */
  silenceMs: number;
};

export type UploadsOptions = {
  config: LinkConfig;
  timing: UploadTiming;
  log: Log;
  pathOf: (sha256: string) => string;
  random?: () => number;
};

/**
 * Brings files to the sidecar before their messages (docs/wire.md, "Files"): asks how much of one is there, and sends
 * the rest. Each file is under way once, however many messages wait for it, and is tried until it is there, can't be
 * had, or the connection it belongs to ends.
 */
export class Uploads {
  readonly #options: UploadsOptions;
  readonly #stopping = new AbortController();
  readonly #underWay = new Map<string, Promise<Omitted | undefined>>();
  /** The others wait, and take up nothing meanwhile. */
  readonly #semaphore = new Semaphore(MAX_UPLOADS);
  readonly #logThrottle = new LogThrottle();

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Resolves when the sidecar has the file, or to the reason why it won't get it. Rejects if it was stopped. */
  ensure(file: StoredFile): Promise<Omitted | undefined> {
    const known = this.#underWay.get(file.sha256);
    if (known !== undefined) return known;
    const upload = this.#upload(file).finally(() => this.#underWay.delete(file.sha256));
    this.#underWay.set(file.sha256, upload);
    return upload;
  }

  /** Waits before a message is tried again, as long as the attempts so far ask for. Rejects if it was stopped. */
  async pause(attempt: number): Promise<void> {
    const { timing, random = Math.random } = this.#options;
    const waitMs = backoffMs({ baseMs: timing.retryMs, maxMs: timing.retryMaxMs }, attempt + 1, random);
    await after(waitMs, undefined, { signal: this.#stopping.signal });
  }

  /** Breaks off what is under way; what arrived stays at the sidecar. Nothing of it is left when this resolves. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled(this.#underWay.values());
  }

  async #upload(file: StoredFile): Promise<Omitted | undefined> {
    const { signal } = this.#stopping;
    let badReads = 0;
    const there = { bytes: 0 };
    for (let attempt = 0; ; attempt += 1) {
      const before = there.bytes;
      const outcome = await this.#semaphore.run(() => this.#tryOnce(file, there), signal);
      signal.throwIfAborted();
      if (outcome === "done") return undefined;
      if (outcome === OMITTED.tooLarge || outcome === OMITTED.noRoom || outcome === OMITTED.lost) return outcome;
      if (outcome === "bad read") badReads += 1;
      if (badReads >= MAX_BAD_READS) return OMITTED.lost;
      // A connection that breaks again and again moves on too: the shortest wait again.
      if (there.bytes > before) attempt = 0;
      await this.pause(attempt);
    }
  }

  /** `there` is how much of the file the sidecar has, as far as it said. */
  async #tryOnce(file: StoredFile, there: { bytes: number }): Promise<Outcome> {
    try {
      const asked = await this.#request("HEAD", file);
      if (asked.status === 204 && asked.isComplete) return "done";
      if (asked.status !== 404 && asked.status !== 204) return this.#failed(asked.status);
      there.bytes = asked.offset ?? 0;
      if (there.bytes > file.sizeBytes) return this.#failed(asked.status);
      return await this.#send(file, there.bytes);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#complain(reasonOf(error));
      return "failed";
    }
  }

  async #send(file: StoredFile, offset: number): Promise<Outcome> {
    const handle = await open(this.#options.pathOf(file.sha256)).catch((error: Error) => error);
    if (handle instanceof Error) {
      if (codeOf(handle) === "ENOENT") return OMITTED.lost;
      return isShortage(handle) ? "failed" : "bad read";
    }
    try {
      if ((await handle.stat()).size !== file.sizeBytes) return OMITTED.lost;
      failpoint("upload:before");
      const body = { handle, offset, sizeBytes: file.sizeBytes };
      const answer = await this.#request("PATCH", file, body);
      failpoint("upload:after");
      if (answer.bodyFailed) return "bad read";
      if (answer.status === 204 && answer.isComplete) return "done";
      if (answer.status === 204 || answer.status === 409) return "failed";
      if (answer.status === 413) return OMITTED.tooLarge;
      if (answer.status === 507) return OMITTED.noRoom;
      if (answer.status === 422) return "bad read";
      return this.#failed(answer.status);
    } finally {
      await handle.close().catch(() => undefined);
    }
  }

  #request(method: "HEAD" | "PATCH", file: StoredFile, body?: Parameters<typeof request>[0]["body"]): Promise<Answer> {
    const { config, timing } = this.#options;
    return request({
      ...{ method, config, path: MEDIA_PATH + file.sha256, silenceMs: timing.silenceMs },
      signal: this.#stopping.signal,
      ...(body === undefined ? {} : { body }),
    });
  }

  #failed(status: number): "failed" {
    this.#complain(`the sidecar answered with HTTP ${status}`);
    return "failed";
  }

  #complain(why: string): void {
    const waiting = `${this.#underWay.size} file(s) and their messages wait`;
    this.#logThrottle.log(() => this.#options.log.warn(line({}, `a file could not be sent, ${waiting}: ${why}`)));
  }
}

type Outcome = "done" | "failed" | "bad read" | Omitted;
