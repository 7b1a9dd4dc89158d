import { freeBytesAt, LogThrottle, shownSize } from "@hotbags/shared";
import { type Log, line } from "../host/log.ts";

/** How often it is looked, ms. */
const LOOK_EVERY_MS = 30_000;

/** A disk that stays low is logged again after this time, ms. */
const LOG_EVERY_MS = 600_000;

/** Bytes. `low`: below how many it is said that the disk fills up. */
export type DiskSpace = { free: number; low: number };

/**
 * Watches the disk of OpenClaw's state, on which the outbox is: when it is full, OpenClaw loses messages before any
 * plugin sees them.
 */
export class Disk {
  readonly #folder: string;
  readonly #lowBytes: () => number;
  readonly #log: Log;
  readonly #logThrottle = new LogThrottle({ everyMs: LOG_EVERY_MS });
  #lookedMs = Number.NEGATIVE_INFINITY;
  #space: DiskSpace | null = null;

  /** `lowBytes` is read anew at each look. */
  constructor(folder: string, lowBytes: () => number, log: Log) {
    this.#folder = folder;
    this.#lowBytes = lowBytes;
    this.#log = log;
  }

  /** As it was at the last look; null where it isn't known. */
  get space(): DiskSpace | null {
    return this.#space;
  }

  /** To be called now and then. Never rejects. */
  async look(nowMs = performance.now()): Promise<void> {
    if (nowMs - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = nowMs;
    const free = await freeBytesAt(this.#folder);
    this.#space = free === null ? null : { free, low: this.#lowBytes() };
    const problem = lowDisk(this.#space, this.#folder);
    if (problem === undefined) this.#logThrottle.over();
    else this.#logThrottle.log(() => this.#log.error(line({}, problem)));
  }
}

/** What to say of a disk that fills up; undefined while it has room. */
export function lowDisk(space: DiskSpace | null, folder: string): string | undefined {
  if (space === null || space.free >= space.low) return undefined;
  return (
    `the disk of ${folder} has ${shownSize(space.free)} left: when it is full, OpenClaw loses customers' messages; ` +
    "make room, `du -xh / | sort -h | tail -n 30` says where it went"
  );
}
