import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf, LogThrottle, reasonOf, VERSION } from "@hotbags/shared";
import * as z from "zod";
import { type Log, line } from "../host/log.ts";
import type { LinkReport } from "../link/connection.ts";
import type { DiskSpace } from "./disk.ts";
import { HookClock } from "./hook-times.ts";

/** How often at least the running plugin writes its status: what is much older comes from one that hangs or is gone. */
export const BEAT_MS = 10_000;

const ms = z.number().int().nonnegative();

/** The status file: what `openclaw hotbags status` can't read from the outbox. All times in ms since 1970. */
const status = z.object({
  version: z.literal(1),
  plugin_version: z.string(),
  openclaw_version: z.string(),
  /** The gateway's process. */
  pid: z.number().int().positive(),
  started_at: ms,
  written_at: ms,
  /** When the plugin was stopped in good order. */
  stopped_at: ms.nullable(),
  link: z.object({
    up: z.boolean(),
    /** When `up` last changed. */
    since: ms,
    address: z.string().nullable(),
    /** Why it is down, if it is. */
    why: z.string().nullable(),
  }),
  /** When the sidecar last confirmed a message, in whichever run. */
  last_ack_at: ms.nullable(),
  /** Messages that are only in this process's memory, because the outbox can't be written. */
  in_memory: z.number().int().nonnegative(),
  /** Bytes of the disk of OpenClaw's state; absent in the file of an older release. */
  disk: z.object({ free: z.number(), low: z.number() }).nullable().default(null),
  hook: z.object({ captures: z.number(), p50_ms: z.number(), p95_ms: z.number(), max_ms: z.number() }).nullable(),
});
export type Status = z.infer<typeof status>;

export function statusFile(stateDir: string): string {
  return join(stateDir, "hotbags", "status.json");
}

/** The status that was written last; undefined if none ever was. Throws on a file that is no status. */
export async function readStatus(file: string): Promise<Status | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return status.parse(JSON.parse(text));
}

/** What is asked for at each write. */
type Present = { inMemory: () => number; disk: () => DiskSpace | null };

/**
 * The running plugin's word about itself, for a CLI in another process. A file beside the outbox and not a row in it:
 * then it costs the outbox no commit, can say that the outbox fails, and tells the last known state of a gateway that
 * is gone, which a gateway method could not. Holds no secret, text or number.
 */
export class StatusBoard implements LinkReport {
  readonly hook = new HookClock();
  readonly #file: string;
  readonly #log: Log;
  readonly #present: Present;
  readonly #logThrottle = new LogThrottle();
  #status: Status;
  #written: string | undefined;
  /** When, by the clock that never jumps: one that was set back would keep the status from being written for so long. */
  #writtenMs = Number.NEGATIVE_INFINITY;
  #writing: Promise<void> = Promise.resolve();

  constructor(stateDir: string, openclawVersion: string, log: Log, present: Present) {
    this.#file = statusFile(stateDir);
    this.#log = log;
    this.#present = present;
    const now = Date.now();
    this.#status = {
      version: 1,
      plugin_version: VERSION,
      openclaw_version: openclawVersion,
      pid: process.pid,
      started_at: now,
      written_at: now,
      stopped_at: null,
      link: { up: false, since: now, address: null, why: "it has not been connected yet" },
      last_ack_at: null,
      in_memory: 0,
      disk: null,
      hook: null,
    };
  }

  /** A link to this address is being made. */
  dialling(address: string): void {
    const { link } = this.#status;
    this.#status.link = { ...link, up: false, since: link.up ? Date.now() : link.since, why: "connecting", address };
  }

  up(): void {
    this.#status.link = { ...this.#status.link, up: true, since: Date.now(), why: null };
    this.write();
  }

  down(why: string): void {
    const { link } = this.#status;
    if (!link.up && link.why === why) return;
    this.#status.link = { ...link, up: false, since: link.up ? Date.now() : link.since, why };
    this.write();
  }

  acknowledged(): void {
    this.#status.last_ack_at = Date.now();
  }

  /** Writes the file if it says something new, or is about to look like that of a dead process. Never throws. */
  write(): void {
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** Writes for the last time, that it was stopped in good order. */
  async stop(): Promise<void> {
    await this.#writing;
    const latest = await readStatus(this.#file).catch(() => undefined);
    // The instance that replaces this one runs already.
    if (latest !== undefined && latest.started_at > this.#status.started_at) return;
    this.#status.stopped_at = Date.now();
    this.#status.link = { ...this.#status.link, up: false, since: Date.now(), why: "the gateway stopped" };
    this.write();
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      await this.#carryOver();
      // All of one instant: the ack of a link beside what was known before that link would say that it is down.
      const { inMemory, disk } = this.#present;
      const present = { in_memory: inMemory(), disk: disk(), hook: this.hook.read() };
      const news = { ...this.#status, ...present, written_at: 0 };
      const content = JSON.stringify(news);
      if (content === this.#written && performance.now() - this.#writtenMs < BEAT_MS) return;
      const now = Date.now();
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
      // In one step, or a reader would meet half a file.
      const beside = `${this.#file}.${process.pid}.new`;
      await writeFile(beside, `${JSON.stringify({ ...news, written_at: now })}\n`, { mode: 0o600 });
      await rename(beside, this.#file);
      this.#written = content;
      this.#writtenMs = performance.now();
      this.#status.written_at = now;
      this.#logThrottle.over();
    } catch (error) {
      // A full disk: the outbox has its own alarm, and the status only grows old.
      this.#logThrottle.log(() => this.#log.warn(line({}, `the status file can't be written: ${reasonOf(error)}`)));
    }
  }

  /** The last ack of an earlier run stays known. */
  async #carryOver(): Promise<void> {
    if (this.#written !== undefined) return;
    const earlier = await readStatus(this.#file).catch(() => undefined);
    this.#status.last_ack_at ??= earlier?.last_ack_at ?? null;
  }
}
