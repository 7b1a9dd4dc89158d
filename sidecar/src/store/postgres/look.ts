import type { Look } from "../look.ts";
import type { Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { Downtimes } from "./downtimes.ts";
import type { Failures } from "./failures.ts";
import type { Messages } from "./messages.ts";
import type { Outbound } from "./outbound.ts";
import type { Pauses } from "./pauses.ts";
import type { Reports } from "./report-lanes.ts";

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

/** What somebody sees who looks at the store, of the accounts that are ours. `parts` read of one instant. */
export async function readLook(parts: LookParts): Promise<Look> {
  const { messages, commands, pauses, reports, events, outbound, downtimes } = parts;
  const counters = await parts.counters.read();
  return {
    counters,
    failures: await parts.failures.all(),
    lastAccepted: await messages.lastAccepted(),
    lastDeliveredAgoMs: await messages.lastDeliveredAgoMs(),
    longestWaitMs: {
      ...{ messages: await messages.longestWaitMs(), replies: await commands.longestWaitMs() },
      ...{ reports: await reports.longestWaitMs(), events: await events.longestWaitMs() },
    },
    doubtsLeft: counters.commands_in_doubt === 0 ? 0 : await commands.doubtsLeft(),
    pausedChats: await pauses.chats(),
    outboundWaiting: await outbound.waiting(),
    downtimes: await downtimes.latest(SHOWN_DOWNTIMES),
  };
}
