import type { CounterName } from "./counters.ts";
import type { RecordedDowntime } from "./downtimes.ts";

/**
 * `dead`: a message became a dead letter. `detached`: an attempt failed by its message's own fault.
 * `command_failed`: a command was refused, or could not be sent. `reply_dropped`: OpenClaw gave up a reply of its queue.
 */
export type FailureKind = "dead" | "detached" | "command_failed" | "reply_dropped";

export interface Failure {
  /** Wall-clock ms. */
  at: number;
  /** "(unreadable)" where a damaged page has it. */
  message_id: string;
  /** A sentence for the operator, without any of the customer's or Hot Bags' words. */
  reason: string;
  /** How many there ever were. */
  count: number;
}

/** What was counted, all at one instant: it adds up. */
export interface Counts {
  readonly counters: Readonly<Record<CounterName, number>>;
  /** What failed last, by kind; null: there was none yet. */
  readonly failures: Readonly<Record<FailureKind, Failure | null>>;
}

/** What was counted of one account; "": of the outbox, and of no account. */
export interface CountsOf extends Counts {
  readonly account: string;
}

/** What of a look is also known of each account apart. */
export interface AccountLook extends CountsOf, Pick<Look, "longestWaitMs" | "doubtsLeft"> {}

/** What somebody sees who looks at the store: all of it at one instant. */
export interface Look extends Counts {
  /**
   * When the last message came (wall-clock ms), and how long ago that was by the proven time, ms; null when none is
   * known, or it can't be read. One that waited for Hot Bags counts from its delivery.
   */
  readonly lastAccepted: { readonly at: number; readonly agoMs: number } | null;
  /** How long ago Hot Bags took a message last, ms; null where none is known, or it can't be read. */
  readonly lastDeliveredAgoMs: number | null;
  /**
   * How long the oldest that waits has waited, ms; 0 when none waits. Of replies: since their message was answered or the
   * pause of their chat ended.
   */
  readonly longestWaitMs: Readonly<Record<"messages" | "replies" | "reports" | "events", number>>;
  /** How many in doubt are the operator's to resolve, because nobody else is asked about them any more; 1000 at most. */
  readonly doubtsLeft: number;
  /** How many chats are paused. */
  readonly pausedChats: number;
  /** Commands of the outbox that wait to be sent; none more than MAX_OUTBOUND_WAITING are counted. */
  readonly outboundWaiting: number;
  /** The newest ones, newest first; none where they can't be read. */
  readonly downtimes: readonly RecordedDowntime[];
  /** Each account that is ours; null: the store has one owner, and does not count them apart. */
  readonly accounts: readonly AccountLook[] | null;
}
