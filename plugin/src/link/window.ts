import type { Outbox, Row } from "../outbox/outbox.ts";
import { type Lane, Lanes } from "./lanes.ts";

export type WindowLimits = {
  /** Chats that are known at a time, some 300 bytes each. At the limit the backlog of others waits; new messages don't. */
  lanes: number;
  /** Messages whose files are on their way. At the limit other chats with files wait for one of them, and no chat else. */
  preparing: number;
};

const LIMITS: WindowLimits = { lanes: 10_000, preparing: 64 };
/** New messages that go before the backlog. Those beyond it come in their turn. */
const MAX_FRESH = 1_024;

/**
 * `preparing`: its files are on their way to the sidecar. `prepared`: they are there, it goes next. `sent`: on this
 * connection, not answered. `answered`: the sidecar has confirmed it, and it is still in the outbox.
 */
type State = "preparing" | "prepared" | "sent" | "answered";
type Message = { lane: Lane; state: State };

/** A message to be sent now; with `mustPrepare` its files come first, and it is sent after `prepared` was called. */
export type Next = { row: Row; mustPrepare: boolean };

/** The message that the sidecar waits for was taken out of the outbox by somebody else: only a new connection helps. */
export class GoneError extends Error {
  override name = "GoneError";
}

/**
 * Which message goes next on one connection. Within a chat strictly in order of arrival; the chats take turns, and new
 * messages go first. Only the messages under way and the chats are kept here, so that a backlog of any length costs
 * neither memory nor time.
 *
 *     waiting ──next──▶ preparing ──prepared──▶ prepared ──next──▶ sent ──confirm──▶ answered ──forget──▶ gone
 *        ▲ └────────────next, without files────────────────────────▲ │
 *        └──────────────────────────────giveBack─────────────────────┘
 *
 * A message may go when it is complete, and nothing before it in its chat waits for its files or was refused. After a
 * refusal nothing of the chat goes until all that is under way is answered, and then the refused message first
 * (docs/wire.md, "Order").
 */
export class SendWindow {
  readonly #outbox: Outbox;
  readonly #limits: WindowLimits;
  readonly #lanes: Lanes;
  readonly #underWay = new Map<number, Message>();
  readonly #fresh: number[] = [];
  readonly #prepared: number[] = [];
  /** Their next message has files, and too many are on their way. */
  readonly #postponed = new Set<Lane>();
  #preparing = 0;
  #unanswered = 0;

  constructor(outbox: Outbox, limits: WindowLimits = LIMITS) {
    this.#outbox = outbox;
    this.#limits = limits;
    this.#lanes = new Lanes(outbox, limits.lanes);
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

  /** True if the next turn may find something that this one did not, although nothing happens until then. */
  get hasMore(): boolean {
    return this.#lanes.hasMore;
  }

  /** When the next chat has rested long enough, ms. */
  get restsUntilMs(): number | undefined {
    return this.#lanes.restsUntilMs;
  }

  /** Begins a turn of the event loop. Throws SQLite's error. */
  turn(nowMs: number): void {
    this.#lanes.turn(nowMs);
  }

  /** A message became ready to send. */
  offer(seq: number): void {
    if (this.#fresh.length < MAX_FRESH) this.#fresh.push(seq);
    else this.lookAgain();
  }

  /** Looks at the whole backlog again. */
  lookAgain(): void {
    this.#lanes.rewind();
  }

  /** The next message. Throws `GoneError`, or SQLite's error. */
  next(): Next | undefined {
    return this.#nextPrepared() ?? this.#nextPostponed() ?? this.#nextFresh() ?? this.#nextInTurn();
  }

  /** The message's files are at the sidecar, or it goes without them: it comes up next. */
  prepared(seq: number): void {
    const message = this.#underWay.get(seq);
    if (message?.state !== "preparing") return;
    message.state = "prepared";
    this.#prepared.push(seq);
  }

  isUnanswered(seq: number): boolean {
    return this.#underWay.get(seq)?.state === "sent";
  }

  /** Marks an answered message. False if it was not under way: an answer to nothing. */
  confirm(seq: number): boolean {
    const message = this.#underWay.get(seq);
    if (message?.state !== "sent") return false;
    message.state = "answered";
    this.#answered(message.lane);
    return true;
  }

  /** The message left the outbox. */
  forget(seq: number): void {
    const message = this.#underWay.get(seq);
    if (message === undefined) return;
    this.#drop(seq, message);
    if (message.state === "sent") this.#answered(message.lane);
    this.#release(message.lane);
  }

  /**
   * The sidecar could not take it now: it will be sent again, before what follows it in its chat, and not before the
   * rest is over. False if this follows from the refusal of another message of the chat.
   */
  giveBack(seq: number, restUntilMs: number): boolean {
    const message = this.#underWay.get(seq);
    if (message?.state !== "sent") return false;
    const { lane } = message;
    const isFirst = lane.refused === undefined;
    lane.refused = Math.min(seq, lane.refused ?? seq);
    if (isFirst) lane.restUntilMs = restUntilMs;
    this.#drop(seq, message);
    // What follows, with its files on their way, has to wait for this one after all. What arrived of them stays.
    const follower = lane.preparing === undefined ? undefined : this.#underWay.get(lane.preparing);
    if (lane.preparing !== undefined && follower !== undefined) this.#drop(lane.preparing, follower);
    this.#answered(lane);
    return isFirst;
  }

  #nextPrepared(): Next | undefined {
    for (let seq = this.#prepared.shift(); seq !== undefined; seq = this.#prepared.shift()) {
      const message = this.#underWay.get(seq);
      if (message?.state !== "prepared") continue;
      const row = this.#outbox.get(seq);
      this.#drop(seq, message);
      if (row !== undefined) return this.#send(row, message.lane);
      this.#lanes.queue(message.lane);
    }
    return undefined;
  }

  #nextPostponed(): Next | undefined {
    for (const lane of this.#postponed) {
      if (this.#preparing >= this.#limits.preparing) return undefined;
      this.#postponed.delete(lane);
      const taken = this.#take(lane);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  #nextFresh(): Next | undefined {
    for (let seq = this.#fresh.shift(); seq !== undefined; seq = this.#fresh.shift()) {
      const row = this.#underWay.has(seq) ? undefined : this.#outbox.get(seq);
      const taken = row?.incomplete === false ? this.#take(this.#lanes.of(row), seq) : undefined;
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  #nextInTurn(): Next | undefined {
    for (let lane = this.#lanes.shift(); lane !== undefined; lane = this.#lanes.shift()) {
      const taken = this.#take(lane);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  /** Puts the chat's next message under way, if it may go, and if it is `only` this one. */
  #take(lane: Lane, only?: number): Next | undefined {
    if (lane.preparing !== undefined || lane.refused !== undefined) return undefined;
    if (this.#lanes.isResting(lane) || this.#postponed.has(lane)) return undefined;
    const row = this.#nextOf(lane);
    if (lane.mustBe !== undefined && row?.seq !== lane.mustBe) {
      throw new GoneError("a message that the sidecar waits for has left the outbox");
    }
    if (row === undefined || row.incomplete) this.#release(lane);
    else if (only !== undefined && row.seq !== only) this.#lanes.queue(lane);
    else if (row.files === 0) return this.#send(row, lane);
    else return this.#prepare(row, lane);
    return undefined;
  }

  #nextOf(lane: Lane): Row | undefined {
    for (;;) {
      const row = this.#outbox.nextOf(lane, lane.after);
      if (row === undefined || !this.#underWay.has(row.seq)) return row;
      lane.after = row.seq;
    }
  }

  #prepare(row: Row, lane: Lane): Next | undefined {
    if (this.#preparing >= this.#limits.preparing) {
      // A new message may have brought in a lane too many: its chat comes up with the backlog again.
      if (this.#lanes.isOver && lane.underWay === 0 && lane.mustBe === undefined) {
        this.lookAgain();
        this.#release(lane);
      } else this.#postponed.add(lane);
      return undefined;
    }
    this.#preparing += 1;
    lane.preparing = row.seq;
    this.#put(row.seq, lane, "preparing");
    return { row, mustPrepare: true };
  }

  #send(row: Row, lane: Lane): Next {
    this.#unanswered += 1;
    lane.unanswered += 1;
    if (lane.mustBe === row.seq) lane.mustBe = undefined;
    this.#lanes.queue(lane);
    this.#put(row.seq, lane, "sent");
    return { row, mustPrepare: false };
  }

  #put(seq: number, lane: Lane, state: State): void {
    this.#underWay.set(seq, { lane, state });
    lane.underWay += 1;
    lane.after = seq;
  }

  #drop(seq: number, { lane }: Message): void {
    this.#underWay.delete(seq);
    lane.underWay -= 1;
    if (lane.preparing !== seq) return;
    lane.preparing = undefined;
    this.#preparing -= 1;
  }

  #answered(lane: Lane): void {
    this.#unanswered -= 1;
    lane.unanswered -= 1;
    if (lane.refused !== undefined && lane.unanswered === 0) this.#resume(lane, lane.refused);
  }

  /** All that was under way is answered: the chat goes on with what was refused first. */
  #resume(lane: Lane, refused: number): void {
    lane.after = refused - 1;
    lane.mustBe = refused;
    lane.refused = undefined;
    this.#postponed.delete(lane);
    this.#lanes.rest(lane);
  }

  /** Forgets a lane that has nothing to send, and of which nothing is under way. */
  #release(lane: Lane): void {
    if (lane.mustBe === undefined && !this.#postponed.has(lane)) this.#lanes.forget(lane);
  }
}
