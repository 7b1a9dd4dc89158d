import type { Counts, Look } from "../look.ts";
import type { Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { Downtimes } from "./downtimes.ts";
import type { Failures } from "./failures.ts";
import type { Messages } from "./messages.ts";
import type { Outbound } from "./outbound.ts";
import type { Pauses } from "./pauses.ts";
import type { Reports } from "./reports.ts";

/** How many of the last downtimes are shown. */
const SHOWN_DOWNTIMES = 5;

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
    accounts: null,
  };
}
