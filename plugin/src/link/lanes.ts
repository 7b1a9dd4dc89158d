import type { Outbox, Place } from "../outbox/outbox.ts";

/** Places of the backlog that are looked at in one turn of the event loop. */
const LOOK = 256;

/** One chat of which messages wait or are under way. */
export type Lane = {
  readonly account: string;
  readonly chat: string;
  /** The chat's next message is the first one behind this place. */
  after: number;
  /** Messages under way, confirmed ones included until they are deleted. */
  underWay: number;
  /** Messages that were sent and not answered. */
  unanswered: number;
  /** A message whose files are on their way: nothing follows until it is sent. */
  preparing: number | undefined;
  /** The first message that the sidecar refused for now: nothing follows until all that is under way is answered. */
  refused: number | undefined;
  /** Until when the chat rests after that, ms. */
  restUntilMs: number;
  /** The message that has to come next: the sidecar refuses every other one of this chat. */
  mustBe: number | undefined;
};

/**
 * The chats that have something to send, as a line in which each has its turn: no chat waits for the backlog of
 * another. Those of the backlog are found some at a time, in the order of their oldest messages. What is known of a
 * chat does not grow with its messages; they stay in the outbox.
 */
export class Lanes {
  readonly #outbox: Outbox;
  readonly #limit: number;
  readonly #known = new Map<string, Lane>();
  readonly #line = new Set<Lane>();
  readonly #resting = new Set<Lane>();
  #turns = this.#line.values();
  #cursor = 0;
  #hasMore = true;
  #nowMs = 0;

  /** `limit`: the backlog of further chats is not looked at while so many are known. */
  constructor(outbox: Outbox, limit: number) {
    this.#outbox = outbox;
    this.#limit = limit;
  }

  /** True if there is more of the backlog to look at. */
  get hasMore(): boolean {
    return this.#hasMore && this.#known.size < this.#limit;
  }

  /** True if a new message has brought in a chat beyond the limit. */
  get isOver(): boolean {
    return this.#known.size > this.#limit;
  }

  /** When the next lane has rested long enough, ms; roughly, of several it is the one that began first. */
  get restsUntilMs(): number | undefined {
    return this.#resting.values().next().value?.restUntilMs;
  }

  /** Begins a turn of the event loop: lines up who has rested, and the next part of the backlog. Throws SQLite's error. */
  turn(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const lane of this.#resting) {
      if (lane.restUntilMs > nowMs) break;
      this.#resting.delete(lane);
      this.queue(lane);
    }
    this.#look();
  }

  #look(): void {
    if (!this.hasMore) return;
    const places = this.#outbox.after(this.#cursor, LOOK);
    this.#hasMore = places.length === LOOK;
    for (const place of places) {
      const known = this.#known.get(keyOf(place));
      if (known === undefined && this.#known.size >= this.#limit) {
        this.#hasMore = true;
        return;
      }
      this.#cursor = place.seq;
      if (known === undefined || known.after < place.seq) this.queue(known ?? this.of(place));
    }
  }

  /** Looks at the whole backlog again. */
  rewind(): void {
    this.#cursor = 0;
    this.#hasMore = true;
  }

  /** The lane of a message's chat. */
  of(place: Place): Lane {
    const key = keyOf(place);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const lane: Lane = {
      ...{ account: place.account, chat: place.chat, after: 0, underWay: 0, unanswered: 0 },
      ...{ preparing: undefined, refused: undefined, restUntilMs: 0, mustBe: undefined },
    };
    this.#known.set(key, lane);
    return lane;
  }

  /** Puts a lane at the end of the line, unless it is in it. */
  queue(lane: Lane): void {
    this.#line.add(lane);
  }

  /** The lane whose turn it is, out of the line. */
  shift(): Lane | undefined {
    let next = this.#turns.next();
    if (next.done) {
      this.#turns = this.#line.values();
      next = this.#turns.next();
    }
    if (next.done) return undefined;
    this.#line.delete(next.value);
    return next.value;
  }

  /** Puts a lane at the end of the line when it has rested. */
  rest(lane: Lane): void {
    if (lane.restUntilMs <= this.#nowMs) return this.queue(lane);
    this.#line.delete(lane);
    this.#resting.add(lane);
  }

  isResting(lane: Lane): boolean {
    return this.#resting.has(lane);
  }

  /** Forgets a lane of which nothing is under way, unless its turn is still to come. */
  forget(lane: Lane): void {
    if (lane.underWay > 0 || this.#line.has(lane) || this.#resting.has(lane)) return;
    this.#known.delete(keyOf(lane));
  }
}

function keyOf({ account, chat }: { account: string; chat: string }): string {
  return `${account}\n${chat}`;
}
