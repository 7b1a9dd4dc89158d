import { type RefusalCode, step } from "@hotbags/shared";
import { messageFrame } from "./frames.ts";
import { type Log, line } from "./log.ts";
import type { Outbox, Row } from "./outbox.ts";
import { SendWindow } from "./window.ts";

/**
 * The messages of one connection: which goes next, and what the sidecar's answer to each means.
 *
 *     waiting ──next──▶ under way ──ack──▶ deleted with the next settle
 *                          │ refused, retry: waiting again, before what follows it in its chat
 *                          │ refused for good, or larger than the sidecar takes: parked
 *
 * Everything may throw SQLite's error; the connection ends then.
 */
export class Delivery {
  readonly #outbox: Outbox;
  readonly #log: Log;
  readonly #window: SendWindow;
  readonly #acked: number[] = [];

  constructor(outbox: Outbox, log: Log) {
    this.#outbox = outbox;
    this.#log = log;
    this.#window = new SendWindow(outbox);
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

  /** The next message's frame. One larger than `maxFrameBytes` is parked instead, and the one after it is next. */
  next(maxFrameBytes: number): string | undefined {
    for (let row = this.#window.next(); row !== undefined; row = this.#window.next()) {
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
    for (const seq of this.#acked.splice(0)) this.#window.forget(seq);
  }

  #park(row: Row, code: RefusalCode, reason: string): void {
    this.#outbox.park(row.seq, code, reason, Date.now());
    this.#window.forget(row.seq);
    const about = { account: row.account, chat: row.chat, messageId: row.messageId, code };
    this.#log.error(line(about, `set aside, Hot Bags does not get it until somebody looks: ${reason}`));
  }
}
