import { type RefusalCode, step } from "@hotbags/shared";
import { type Log, line } from "../host/log.ts";
import type { Outbox, Row } from "../outbox/outbox.ts";
import { messageFrame } from "./frames.ts";
import type { Uploads } from "./uploads.ts";
import { SendWindow } from "./window.ts";

export type DeliveryOptions = {
  outbox: Outbox;
  log: Log;
  uploads: Uploads;
  /** A message's files are at the sidecar: there is something to send. */
  onPrepared: () => void;
  /** The outbox failed while files were on their way. */
  onFailed: (error: unknown) => void;
};

/**
 * The messages of one connection: which goes next, and what the sidecar's answer to each means.
 *
 *     waiting ──next──▶ (its files are brought to the sidecar) ──▶ under way ──ack──▶ deleted with the next settle
 *                          │ refused, retry: waiting again, before what follows it in its chat
 *                          │ refused for good, or larger than the sidecar takes: parked
 *
 * Everything may throw SQLite's error; the connection ends then.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #outbox: Outbox;
  readonly #log: Log;
  readonly #window: SendWindow;
  readonly #acked: number[] = [];
  /** How often the sidecar missed a file of a message, although it had said that it was there. */
  readonly #missed = new Map<number, number>();

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#outbox = options.outbox;
    this.#log = options.log;
    this.#window = new SendWindow(options.outbox);
  }

  /**
   * Messages that use up credit: acknowledged ones too until they are deleted, so that a full disk stops the sending.
   */
  get underWay(): number {
    return this.#window.size;
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
    this.#window.rewind();
  }

  /**
   * The next message's frame. A message larger than `maxFrameBytes` is parked. One with files waits until the sidecar has
   * them. In both cases the message after it is next.
   */
  next(maxFrameBytes: number): string | undefined {
    for (let next = this.#window.next(); next !== undefined; next = this.#window.next()) {
      const { row, mustPrepare } = next;
      if (mustPrepare) {
        this.#prepare(row).catch((error) => this.#options.onFailed(error));
        continue;
      }
      const frame = messageFrame(row);
      if (Buffer.byteLength(frame) <= maxFrameBytes) return frame;
      this.#park(row, "too_large", `larger than the sidecar's limit of ${maxFrameBytes} bytes`);
    }
    return undefined;
  }

  /** The sidecar has it on disk. False for an answer to nothing. */
  acknowledged(ref: number): boolean {
    if (!this.#window.confirm(ref)) return false;
    this.#acked.push(ref);
    return true;
  }

  /** The sidecar did not take it. False for an answer to nothing. */
  refused(ref: number, code: RefusalCode, reason: string, retry: boolean): boolean {
    if (!this.#window.isUnanswered(ref)) return false;
    const row = this.#outbox.get(ref);
    if (code === "no_file") this.#missed.set(ref, (this.#missed.get(ref) ?? -1) + 1);
    if (retry) this.#window.giveBack(ref);
    else if (row !== undefined) this.#park(row, code, reason);
    else this.#window.forget(ref);
    return true;
  }

  /** Deletes what was acknowledged, all in one transaction. */
  settle(): void {
    if (this.#acked.length === 0) return;
    // Forgotten only after the commit: their credit is not used again before.
    step("acked:before-commit");
    this.#outbox.remove(this.#acked);
    step("acked:after-commit");
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

  #park(row: Row, code: RefusalCode, reason: string): void {
    this.#outbox.park(row.seq, code, reason, Date.now());
    this.#window.forget(row.seq);
    // With files, its chat had to wait for it.
    if (row.files > 0) this.#window.rewind(row.seq);
    const about = { account: row.account, chat: row.chat, messageId: row.messageId, code };
    this.#log.error(line(about, `set aside, Hot Bags does not get it until somebody looks: ${reason}`));
  }
}
