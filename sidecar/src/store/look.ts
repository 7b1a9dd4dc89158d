import type { Commands } from "./commands.ts";
import type { CounterName, Counters } from "./counters.ts";
import type { Downtimes, RecordedDowntime } from "./downtimes.ts";
import type { Failure, FailureKind, Failures } from "./failures.ts";
import type { Messages } from "./messages.ts";
import type { Outbound } from "./outbound.ts";
import type { Pauses } from "./pauses.ts";
import type { Reports } from "./reports.ts";

/** How many of the last downtimes are shown. */
const SHOWN_DOWNTIMES = 5;

/** What was counted, all at one instant: it adds up. */
export interface Counts {
  readonly counters: Readonly<Record<CounterName, number>>;
  /** What failed last, by kind; null: there was none yet. */
  readonly failures: Readonly<Record<FailureKind, Failure | null>>;
}

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
}

interface LookParts {
  counters: Counters;
  failures: Failures;
  messages: Messages;
  commands: Commands;
  pauses: Pauses;
  reports: Reports;
  events: Reports;
  outbound: Outbound;
  downtimes: Downtimes;
}

/** Throws when it can't be read. */
export function readCounts({ counters, failures }: Pick<LookParts, "counters" | "failures">): Counts {
  return { counters: counters.read(), failures: failures.all() };
}

/** Throws when it can't be read. In one turn, in which nobody writes. */
export function readLook(parts: LookParts): Look {
  const { messages, commands, pauses, reports, events, outbound, downtimes } = parts;
  const counts = readCounts(parts);
  return {
    ...counts,
    lastAccepted: messages.lastAccepted(),
    lastDeliveredAgoMs: messages.lastDeliveredAgoMs(),
    longestWaitMs: {
      ...{ messages: messages.longestWaitMs(), replies: commands.longestWaitMs() },
      ...{ reports: reports.longestWaitMs(), events: events.longestWaitMs() },
    },
    doubtsLeft: counts.counters.commands_in_doubt === 0 ? 0 : commands.doubtsLeft(),
    pausedChats: pauses.chats,
    outboundWaiting: outbound.countWaiting(),
    downtimes: downtimes.latest(SHOWN_DOWNTIMES),
  };
}
