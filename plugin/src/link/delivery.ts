import { failpoint, LogThrottle, type RefusalCode } from "@hotbags/shared";
import { type Log, line } from "../host/log.ts";
import type { Outbox, Row } from "../outbox/outbox.ts";
import { messageFrame } from "./frames.ts";
import { Pace } from "./pace.ts";
import type { Uploads } from "./uploads.ts";
import { SendWindow, type WindowLimits } from "./window.ts";

export type DeliveryOptions = {
  outbox: Outbox;
  log: Log;
  uploads: Pick<Uploads, "ensure" | "pause">;
  /** How long a chat rests when the sidecar could not store its message, ms. */
  restMs: number;
  /** A message's files are at the sidecar: there is something to send. */
  onPrepared: () => void;
  windowLimits?: WindowLimits;
  /** The outbox failed while files were on their way. */
  onFailed: (error: unknown) => void;
};

export type Refusal = { code: RefusalCode; reason: string; retry: boolean };

/**
 * The messages of one connection: which goes next, and what the sidecar's answer to each means.
 *
 *     waiting ──next──▶ (its files are brought to the sidecar) ──▶ under way ──ack──▶ deleted with the next turn
 *                          │ refused, retry: waiting again, before what follows it in its chat
 *                          │ refused for good, or larger than the sidecar takes: dead letter
 *
 * Everything may throw SQLite's error; the connection ends then. Times are those of `performance.now()`.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #outbox: Outbox;
  readonly #log: Log;
  readonly #window: SendWindow;
  readonly #pace: Pace;
  readonly #refusalThrottle = new LogThrottle();
  readonly #acked: number[] = [];
  /** How often the sidecar missed a file of a message, although it had said that it was there. */
  readonly #missed = new Map<number, number>();
  /** When this turn began: what is too early for it is not too late for the next. */
  #nowMs = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#outbox = options.outbox;
    this.#log = options.log;
    this.#window = new SendWindow(options.outbox, options.windowLimits);
    this.#pace = new Pace(options.restMs);
  }

  /** Messages that the sidecar has not answered. */
  get unanswered(): number {
    return this.#window.unanswered;
  }

  /** A message became ready to send. */
  offer(seq: number): void {
    this.#window.offer(seq);
  }

  /** Looks at the whole outbox again: another instance may have written to it. */
  lookAgain(): void {
    this.#window.lookAgain();
  }

  /** Begins a turn of the event loop: deletes what was acknowledged since the last one, all in one transaction. */
  turn(nowMs: number): void {
    this.#nowMs = nowMs;
    this.deleteAcknowledged();
    this.#window.turn(nowMs);
  }

  /** True if the next turn may find something to send, although nothing happens until then. */
  get hasMore(): boolean {
    return this.#window.hasMore;
  }

  /** When there may be something to send, although nothing happens until then: what this turn found to be too early. */
  get dueMs(): number | undefined {
    const waits = [this.#window.restsUntilMs, this.#pace.restsUntilMs];
    const due = waits.filter((untilMs) => untilMs !== undefined && untilMs > this.#nowMs) as number[];
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /**
   * The next message's frame, if the sidecar's `credit` is not used up. Acknowledged messages use it until they are
   * deleted, so that a full disk stops the sending. A message larger than `maxFrameBytes` becomes a dead letter. One
   * with files waits until the sidecar has them. In both cases the message after it is next.
   */
  next(credit: number, maxFrameBytes: number): string | undefined {
    if (this.#window.size >= credit || !this.#pace.allows(this.#window.unanswered, this.#nowMs)) return undefined;
    for (let next = this.#window.next(); next !== undefined; next = this.#window.next()) {
      const { row, mustPrepare } = next;
      if (mustPrepare) {
        this.#prepare(row).catch((error) => this.#options.onFailed(error));
        continue;
      }
      const frame = messageFrame(row);
      if (Buffer.byteLength(frame) <= maxFrameBytes) return frame;
      this.#deadLetter(row, "too_large", `larger than the sidecar's limit of ${maxFrameBytes} bytes`);
    }
    return undefined;
  }

  /** The sidecar has it on disk. False for an answer to nothing. */
  acknowledged(ref: number): boolean {
    if (!this.#window.confirm(ref)) return false;
    this.#acked.push(ref);
    this.#pace.taken();
    return true;
  }

  /** The sidecar did not take it. False for an answer to nothing. */
  refused(ref: number, { code, reason, retry }: Refusal, nowMs: number): boolean {
    if (!this.#window.isUnanswered(ref)) return false;
    if (!retry) this.#refusedForGood(ref, code, reason);
    else if (code === "no_file") this.#lacksFile(ref);
    // What was refused because of a message before it says nothing new of the sidecar.
    else if (this.#window.giveBack(ref, nowMs + this.#options.restMs)) {
      this.#pace.refused(nowMs);
      const wait = `the sidecar cannot take a message now, its chat waits: ${reason}`;
      this.#refusalThrottle.log(() => this.#log.warn(line({ code }, wait)));
    }
    return true;
  }

  #refusedForGood(ref: number, code: RefusalCode, reason: string): void {
    const row = this.#outbox.get(ref);
    if (row !== undefined) this.#deadLetter(row, code, reason);
    else this.#window.forget(ref);
  }

  /** It is sent again after its file, and that has waits of its own. */
  #lacksFile(ref: number): void {
    this.#missed.set(ref, (this.#missed.get(ref) ?? -1) + 1);
    this.#window.giveBack(ref, 0);
  }

  /** Deletes what was acknowledged, all in one transaction. */
  deleteAcknowledged(): void {
    if (this.#acked.length === 0) return;
    // Forgotten only after the commit: their credit is not used again before.
    failpoint("acked:before-commit");
    this.#outbox.remove(this.#acked);
    failpoint("acked:after-commit");
    for (const seq of this.#acked.splice(0)) {
      this.#window.forget(seq);
      this.#missed.delete(seq);
    }
  }

  /** Resolves when the message may be sent, or the connection has ended. Rejects if the outbox fails. */
  async #prepare(row: Row): Promise<void> {
    const { uploads } = this.#options;
    const files = this.#outbox.filesOf(row);
    const missed = this.#missed.get(row.seq);
    const about = { account: row.account, chat: row.chat, messageId: row.messageId };
    const reasons = await Promise.all([
      ...files.map((file) => uploads.ensure(file)),
      // Not at once again and again, should the sidecar contradict itself.
      ...(missed === undefined ? [] : [uploads.pause(missed)]),
    ]).catch(() => undefined);
    if (reasons === undefined) return;
    for (const [n, { sha256 }] of files.entries()) {
      const reason = reasons[n];
      if (!reason) continue;
      this.#outbox.omit(row.seq, sha256, reason);
      this.#log.warn(line(about, `goes without one of its files: ${reason}`));
    }
    this.#window.prepared(row.seq);
    this.#options.onPrepared();
  }

  #deadLetter(row: Row, code: RefusalCode, reason: string): void {
    this.#outbox.deadLetter(row.seq, code, reason, Date.now());
    this.#window.forget(row.seq);
    const about = { account: row.account, chat: row.chat, messageId: row.messageId, code };
    this.#log.error(line(about, `a dead letter now, Hot Bags does not get it: ${reason}`));
  }
}
