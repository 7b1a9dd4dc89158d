import { freeBytesAt, shownSize } from "@hotbags/shared";
import type { Logger } from "pino";

/** How often it is looked, ms. A gateway that crashes in a loop leaves some 160 MB every 20 s. */
const LOOK_EVERY_MS = 10_000;

/** It is over when there is so much more than the threshold: at the threshold it would come and go. */
const OVER_AT = 1.1;

interface DiskWatchParts {
  folder: string;
  /** An alert is raised below this, bytes; 0: never. */
  lowBytes: number;
  log: Logger;
  /** Told when it has become low, or is no longer. */
  onChange(): void;
  /** Of the disk, unless a test has another. */
  freeBytes?: (folder: string) => Promise<number | null>;
}

/** Watches whether the disk of the queue fills up, before it is full and messages can't be taken in. */
export class DiskWatch {
  #parts: DiskWatchParts;
  #timer: NodeJS.Timeout | undefined;
  #freeBytes: number | null = null;
  #isLow = false;

  constructor(parts: DiskWatchParts) {
    this.#parts = parts;
  }

  /** Looks from now on, and at once. */
  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    void this.look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Goes on with another threshold. */
  adopt(lowBytes: number): void {
    this.#parts = { ...this.#parts, lowBytes };
    void this.look();
  }

  /** As it was at the last look; null where it isn't known. */
  get status(): { folder: string; freeBytes: number | null; lowBytes: number; problem: string | null } {
    const { folder, lowBytes } = this.#parts;
    const free = this.#freeBytes;
    const isLow = this.#isLow && free !== null;
    return { folder, freeBytes: free, lowBytes, problem: isLow ? sentence(folder, free) : null };
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { folder, lowBytes, log, onChange, freeBytes = freeBytesAt } = this.#parts;
    const free = await freeBytes(folder);
    this.#freeBytes = free;
    if (free === null) return;
    if (!this.#isLow && free < lowBytes) {
      this.#isLow = true;
      onChange();
    } else if (this.#isLow && free >= lowBytes * OVER_AT) {
      this.#isLow = false;
      log.info({ free_bytes: free }, "there is room on the disk again");
      onChange();
    }
  }
}

function sentence(folder: string, freeBytes: number): string {
  return [
    `The disk of ${folder} has ${shownSize(freeBytes)} left.`,
    "When it is full, no message is taken in or answered, and OpenClaw loses what comes.",
    "Make room: `du -xh / | sort -h | tail -n 30` says where it went.",
  ].join(" ");
}
