import type { Outbox, Row } from "../outbox/outbox.ts";

/**
 * Places in the order read at a time. The messages themselves are read one by one when they go: a page would show them
 * as they were.
 */
const PAGE = 256;
/** New messages that may overtake a backlog of other chats. Those beyond it come in their turn. */
const MAX_FRESH = 1_024;
/** Messages whose files are on their way. At the limit what has files waits in the order, and what follows it too. */
const MAX_PREPARING = 64;
/** Messages passed over because their chat has to wait, so that looking for others stays cheap. */
const MAX_PASSED_OVER = 1_024;

/**
 * `preparing`: its files are on their way to the sidecar. `prepared`: they are there, it goes next. `sent`: on this
 * connection, not answered. `answered`: the sidecar has confirmed it, and it is still in the outbox.
 */
type State = "preparing" | "prepared" | "sent" | "answered";

/**
 * Which message goes next on one connection. Within a chat strictly in order of arrival; across chats in order too,
 * except that a new message need not wait for a backlog of other chats, nor any for the files of another chat.
 *
 *     waiting ──next──▶ preparing ──prepared──▶ prepared ──next──▶ sent ──confirm──▶ answered ──forget──▶ gone
 *        └──────────────next, without files────────────────────────▲
 *
 * A message may go when it isn't held and its predecessor in the chat is gone, answered, or sent without files: one
 * with files may still be refused for want of a file, and nothing may overtake it then.
 */
export class SendWindow {
  readonly #outbox: Outbox;
  readonly #underWay = new Map<number, { state: State; hasFiles: boolean }>();
  readonly #fresh: number[] = [];
  /** Ready to go, besides what comes in order: files have arrived, or a chat need not wait any longer. */
  readonly #due: number[] = [];
  /** Due, but too many files are on their way: one comes up with each that is through. */
  readonly #postponed: number[] = [];
  readonly #passedOver = new Set<number>();
  #page: number[] = [];
  #cursor = 0;
  #preparing = 0;
  #unanswered = 0;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Messages sent and not forgotten: confirmed ones count until they are deleted, or a full disk would let them grow
   * without end.
   */
  get size(): number {
    return this.#underWay.size - this.#preparing;
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
    this.#passedOver.clear();
  }

  /**
   * The next message, to be sent now. With `mustPrepare` its files come first: it is sent after `prepared` was called.
   * Throws SQLite's error.
   */
  next(): { row: Row; mustPrepare: boolean } | undefined {
    return this.#nextDue() ?? this.#nextFresh() ?? this.#nextInOrder();
  }

  /** The message's files are at the sidecar, or it goes without them: it comes up next. */
  prepared(seq: number): void {
    const message = this.#underWay.get(seq);
    if (message?.state !== "preparing") return;
    message.state = "prepared";
    this.#due.push(seq);
  }

  /** Marks an answered message. False if it was not under way: an answer to nothing. */
  confirm(seq: number): boolean {
    const message = this.#underWay.get(seq);
    if (message?.state !== "sent") return false;
    message.state = "answered";
    this.#unanswered -= 1;
    if (message.hasFiles) this.#nextOfChat(seq);
    return true;
  }

  isUnanswered(seq: number): boolean {
    return this.#underWay.get(seq)?.state === "sent";
  }

  /** The message left the outbox. */
  forget(seq: number): void {
    const message = this.#underWay.get(seq);
    if (message?.state === "sent") this.#unanswered -= 1;
    this.#underWay.delete(seq);
    if (message?.state !== "preparing" && message?.state !== "prepared") return;
    this.#preparing -= 1;
    const postponed = this.#postponed.shift();
    if (postponed !== undefined) this.#due.push(postponed);
  }

  /** The sidecar could not take it now: it will be sent again, before what follows it in its chat. */
  giveBack(seq: number): void {
    this.forget(seq);
    this.rewind(seq);
  }

  #nextDue() {
    for (let seq = this.#due.shift(); seq !== undefined; seq = this.#due.shift()) {
      const isPrepared = this.#underWay.get(seq)?.state === "prepared";
      if (isPrepared) this.forget(seq);
      const row = this.#outbox.get(seq);
      if (row === undefined || !this.#isSendable(row)) continue;
      const taken = this.#take(row, isPrepared);
      if (taken === undefined) {
        this.#postponed.push(seq);
        continue;
      }
      // It was waited for, so its chat's next one was passed over too; with files, that one waits for the answer.
      if (row.files === 0) this.#nextOfChat(seq);
      return taken;
    }
    return undefined;
  }

  #nextFresh() {
    for (let seq = this.#fresh.shift(); seq !== undefined; seq = this.#fresh.shift()) {
      const row = this.#outbox.get(seq);
      const taken = row && this.#isSendable(row) ? this.#take(row) : undefined;
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  #nextInOrder() {
    while (this.#passedOver.size < MAX_PASSED_OVER) {
      if (this.#page.length === 0) this.#page = this.#outbox.after(this.#cursor, PAGE);
      const seq = this.#page[0];
      if (seq === undefined) return undefined;
      const row = this.#underWay.has(seq) ? undefined : this.#outbox.get(seq);
      const isSendable = row !== undefined && this.#isSendable(row);
      const taken = isSendable ? this.#take(row) : undefined;
      if (isSendable && taken === undefined) return undefined;
      this.#page.shift();
      this.#cursor = seq;
      if (taken !== undefined) return taken;
      if (row !== undefined) this.#passedOver.add(seq);
    }
    return undefined;
  }

  /** Puts a message under way; undefined if too many with files are already. */
  #take(row: Row, isPrepared = false): { row: Row; mustPrepare: boolean } | undefined {
    const hasFiles = row.files > 0;
    const mustPrepare = hasFiles && !isPrepared;
    if (mustPrepare && this.#preparing >= MAX_PREPARING) return undefined;
    if (mustPrepare) this.#preparing += 1;
    else this.#unanswered += 1;
    this.#underWay.set(row.seq, { state: mustPrepare ? "preparing" : "sent", hasFiles });
    this.#passedOver.delete(row.seq);
    return { row, mustPrepare };
  }

  /** What follows in the chat of this message, and was passed over because of it, comes up. */
  #nextOfChat(seq: number): void {
    const row = this.#outbox.get(seq);
    const successor = row && this.#outbox.successor(row);
    if (successor !== undefined && successor <= this.#cursor) this.#due.push(successor);
  }

  #isSendable(row: Row): boolean {
    if (row.held || this.#underWay.has(row.seq)) return false;
    const predecessor = this.#outbox.predecessor(row);
    if (predecessor === undefined) return true;
    const before = this.#underWay.get(predecessor);
    return before !== undefined && !isInTheWay(before);
  }
}

function isInTheWay({ state, hasFiles }: { state: State; hasFiles: boolean }): boolean {
  return state === "preparing" || state === "prepared" || (state === "sent" && hasFiles);
}
