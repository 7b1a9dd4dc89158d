import type { Outbox, Row } from "./outbox.ts";

/**
 * Places in the order read at a time. The messages themselves are read one by one when they go: a page would show them
 * as they were.
 */
const PAGE = 256;
/** New messages that may overtake a backlog of other chats. Those beyond it come in their turn. */
const MAX_FRESH = 1_024;

/**
 * Which message goes next on one connection. Within a chat strictly in order of arrival; across chats in order too,
 * except that a new message need not wait for a backlog of other chats.
 *
 * A message may go when its predecessor in the chat is gone or under way, and when it isn't held. It is under way from
 * `next` until `forget`.
 */
export class SendWindow {
  readonly #outbox: Outbox;
  /** Sent on this connection; true once the sidecar has confirmed it. */
  readonly #underWay = new Map<number, boolean>();
  readonly #fresh: number[] = [];
  #page: number[] = [];
  #cursor = 0;
  #unanswered = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Messages sent and not forgotten: confirmed ones count until they are deleted, or a full disk would let them grow
   * without end.
   */
  get size(): number {
    return this.#underWay.size;
  }

  /** Messages that the sidecar has not answered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** A message became ready to send. */
  offer(seq: number): void {
    if (this.#fresh.length < MAX_FRESH) this.#fresh.push(seq);
    // Behind the cursor only if it was held: what was passed over since then because of it comes up again.
    if (seq <= this.#cursor) this.rewind(seq);
  }

  /** Looks at everything from `seq` on again. */
  rewind(seq = 1): void {
    this.#cursor = Math.min(this.#cursor, seq - 1);
    this.#page = [];
  }

  /** The next message to send, from now on under way. Throws SQLite's error. */
  next(): Row | undefined {
    const row = this.#nextFresh() ?? this.#nextInOrder();
    if (row === undefined) return undefined;
    this.#underWay.set(row.seq, false);
    this.#unanswered += 1;
    return row;
  }

  /** Marks an answered message. False if it was not under way: an answer to nothing. */
  confirm(seq: number): boolean {
    if (this.#underWay.get(seq) !== false) return false;
    this.#underWay.set(seq, true);
    this.#unanswered -= 1;
    return true;
  }

  isUnanswered(seq: number): boolean {
    return this.#underWay.get(seq) === false;
  }

  /** The message left the outbox. */
  forget(seq: number): void {
    if (this.#underWay.get(seq) === false) this.#unanswered -= 1;
    this.#underWay.delete(seq);
  }

  /** The sidecar could not take it now: it will be sent again, before what follows it in its chat. */
  giveBack(seq: number): void {
    this.forget(seq);
    this.rewind(seq);
  }

  #nextFresh(): Row | undefined {
    for (let seq = this.#fresh.shift(); seq !== undefined; seq = this.#fresh.shift()) {
      const row = this.#sendable(seq);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  #nextInOrder(): Row | undefined {
    for (;;) {
      if (this.#page.length === 0) this.#page = this.#outbox.after(this.#cursor, PAGE);
      const seq = this.#page.shift();
      if (seq === undefined) return undefined;
      this.#cursor = seq;
      const row = this.#sendable(seq);
      if (row !== undefined) return row;
    }
  }

  #sendable(seq: number): Row | undefined {
    if (this.#underWay.has(seq)) return undefined;
    const row = this.#outbox.get(seq);
    if (row === undefined || row.held) return undefined;
    const predecessor = this.#outbox.predecessor(row);
    return predecessor === undefined || this.#underWay.has(predecessor) ? row : undefined;
  }
}
