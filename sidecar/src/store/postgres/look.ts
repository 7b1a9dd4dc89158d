import type { AccountLook, CountsOf, Look } from "../look.ts";
import type { Commands } from "./commands.ts";
import { type Counters, sumOf } from "./counters.ts";
import type { Downtimes } from "./downtimes.ts";
import { type Failures, lastOf } from "./failures.ts";
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

/** What was counted of each account that is ours. `parts` read of one instant. */
export async function readCountsByAccount(parts: Pick<LookParts, "counters" | "failures">): Promise<CountsOf[]> {
  const counters = await parts.counters.byAccount();
  const failures = await parts.failures.byAccount();
  return [...counters].flatMap(([account, its]) => {
    const failed = failures.get(account);
    return failed ? [{ account, counters: its, failures: failed }] : [];
  });
}

/** What somebody sees who looks at the store, of the accounts that are ours. `parts` read of one instant. */
export async function readLook(parts: LookParts): Promise<Look> {
  const { messages, pauses, outbound, downtimes } = parts;
  const accounts = await readAccounts(parts);
  const longest = (kind: keyof Look["longestWaitMs"]) =>
    Math.max(0, ...accounts.map(({ longestWaitMs }) => longestWaitMs[kind]));
  return {
    counters: sumOf(accounts.map(({ counters }) => counters)),
    failures: lastOf(accounts.map(({ failures }) => failures)),
    lastAccepted: await messages.lastAccepted(),
    lastDeliveredAgoMs: await messages.lastDeliveredAgoMs(),
    longestWaitMs: {
      ...{ messages: longest("messages"), replies: longest("replies") },
      ...{ reports: longest("reports"), events: longest("events") },
    },
    doubtsLeft: accounts.reduce((sum, { doubtsLeft }) => sum + doubtsLeft, 0),
    pausedChats: await pauses.chats(),
    outboundWaiting: await outbound.waiting(),
    downtimes: await downtimes.latest(SHOWN_DOWNTIMES),
    accounts,
  };
}

async function readAccounts(parts: LookParts): Promise<AccountLook[]> {
  const counts = await readCountsByAccount(parts);
  const isDoubted = counts.some(({ counters }) => counters.commands_in_doubt > 0);
  const [messages, replies] = [await parts.messages.longestWaits(), await parts.commands.longestWaits()];
  const [reports, events] = [await parts.reports.longestWaits(), await parts.events.longestWaits()];
  const doubts = isDoubted ? await parts.commands.doubtsLeft() : new Map<string, number>();
  return counts.map((its) => {
    const of = (waits: ReadonlyMap<string, number>) => waits.get(its.account) ?? 0;
    const longestWaitMs = { messages: of(messages), replies: of(replies), reports: of(reports), events: of(events) };
    return { ...its, longestWaitMs, doubtsLeft: doubts.get(its.account) ?? 0 };
  });
}
