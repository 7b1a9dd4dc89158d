import { count, maskAddress } from "@hotbags/shared";
import type { Failure, Look } from "../store/index.ts";
import { apart, bad, condition, conditionOf, type Finding, good } from "./finding.ts";
import type { HealthParts } from "./health-parts.ts";
import { ofLock, ofNumber, ofRunaway } from "./sentences.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;

/** A certificate that is renewed by itself is so some weeks before its end. */
const CERTIFICATE_DAYS = 14;

/** So long, ms, after the last one it is told that commands are refused. */
const REFUSED_MS = 3_600_000;

/** What stands between a customer and an answer: Hot Bags, what waits, and what was given up. */
export function readFindings(parts: HealthParts, look: Look): Finding[] {
  return [
    ...[ofQuiet(parts), ofHotBags(parts, look), ofCertificate(parts), ...ofReplies(parts), ofRunaways(parts)],
    ...[ofMessageWait(parts, look), ofReplyWait(parts, look), ofHandovers(parts)],
    ...[
      ofDeadLetters(look),
      ofDoubts(look),
      ofRefused(look, parts.clock.now()),
      ofReporting(parts, look, "reports"),
      ofReporting(parts, look, "events"),
      ofOutbound(parts),
    ],
  ];
}

function ofQuiet({ quiet: { problem } }: HealthParts): Finding {
  if (problem === null) return good("quiet", false);
  const { text, lastAt, quietMs } = problem;
  const details = { last_at: lastAt === null ? null : new Date(lastAt).toISOString(), quiet_ms: quietMs };
  return bad("quiet", true, text, [condition("quiet", text, { details })]);
}

/** The value: minutes since it took a message last; null where none is known. That there was none to take is healthy. */
function ofHotBags({ relay }: HealthParts, { lastDeliveredAgoMs: agoMs }: Look): Finding {
  const name = "hot_bags_last_success_minutes";
  const { problem, alarms } = relay.status;
  const minutes = agoMs === null ? null : Math.floor(agoMs / MINUTE_MS);
  const alerts = alarms.map(({ text, fault, status }) =>
    condition("hot_bags", text, { subject: fault, details: { fault, status } }),
  );
  return problem === null ? { ...good(name, minutes), alerts } : bad(name, minutes, problem, alerts);
}

/** The value: days until its end. */
function ofCertificate({ hotbags, clock }: HealthParts): Finding {
  const name = "hot_bags_certificate_days";
  const endsAt = hotbags.certificateEndsAt;
  if (endsAt === null) return good(name, null);
  const days = Math.floor((endsAt - clock.now()) / DAY_MS);
  if (days >= CERTIFICATE_DAYS) return good(name, days);
  const end = new Date(endsAt).toISOString();
  const renew = "renew it, or see why it does not renew itself";
  const text =
    days < 0
      ? `The certificate of Hot Bags ended on ${end}: ${renew}. No message is delivered.`
      : `The certificate of Hot Bags ends on ${end}, in ${count(days, "day")}: ${renew}. From then on no message is delivered.`;
  return { ...good(name, days), alerts: [condition("certificate", text, { details: { ends_at: end } })] };
}

function ofReplies({ replies }: HealthParts): Finding[] {
  const { problems, locks, numbers, refused } = replies.status;
  const alerts = [
    ...locks.map((lock) => {
      const until = lock.until === null ? null : new Date(lock.until).toISOString();
      const details = { account: lock.account, until, enforcement: lock.kind };
      return condition("lock", ofLock(lock), { subject: lock.account, account: lock.account, details });
    }),
    ...numbers.map((change) => {
      const { account, writtenTo, linked } = change;
      const subject = `${account} ${writtenTo} ${linked}`;
      const details = { account, written_to: writtenTo, linked };
      return condition("number", ofNumber(change), { subject, account, details });
    }),
    ...(refused.length === 0 ? [] : [condition("replies_refused", `${refused.join(". ")}.`)]),
  ];
  const [first, ...others] = problems;
  if (first === undefined) return [{ ...good("replies_held", 0), alerts }];
  const rest = others.map((problem) => bad("replies_held", problems.length, problem, []));
  return [bad("replies_held", problems.length, first, alerts), ...rest];
}

function ofRunaways({ replies, brake }: HealthParts): Finding {
  const { heldChats, runaway } = replies.status;
  if (heldChats === 0) return good("held_chats", 0);
  const problem = `replies of ${count(heldChats, "chat")} are held back, because more of them went there than BRIDGE_CHAT_REPLIES_PER_MINUTE or _PER_HOUR: see whether another bot answers there, or Hot Bags answers in a loop`;
  const account = runaway?.account_id ?? "";
  const chat = maskAddress(runaway?.chat_id ?? "");
  const alert = condition("runaway", ofRunaway(account, chat, brake), { account, details: { account, chat } });
  return bad("held_chats", heldChats, problem, [alert]);
}

function ofMessageWait({ relay, maxWaitMs }: HealthParts, look: Look): Finding {
  const name = "message_waits_minutes";
  const waitMs = look.longestWaitMs.messages;
  const minutes = Math.round(waitMs / MINUTE_MS);
  if (waitMs <= maxWaitMs) return good(name, minutes);
  const waited = count(minutes, "minute");
  const problem = `a message has waited ${waited} for Hot Bags`;
  const cause = relay.status.problem ?? relay.status.lastFailure?.error;
  const why = cause === undefined ? "" : ` The last failure: ${cause}.`;
  const alerts = apart(look).flatMap((part) => {
    const { messages } = part.longestWaitMs;
    if (messages <= maxWaitMs) return [];
    const its = Math.round(messages / MINUTE_MS);
    const text = `A message has waited ${count(its, "minute")} for Hot Bags.${why} hotbags messages list --state pending,detached names those that wait.`;
    return [conditionOf(part, "message_waits", text, { details: { minutes: its } })];
  });
  return bad(name, minutes, problem, alerts);
}

function ofReplyWait({ maxWaitMs }: HealthParts, look: Look): Finding {
  const name = "reply_waits_minutes";
  const waitMs = look.longestWaitMs.replies;
  const minutes = Math.round(waitMs / MINUTE_MS);
  if (waitMs <= maxWaitMs) return good(name, minutes);
  const problem = `a reply has waited ${count(minutes, "minute")} for WhatsApp`;
  const alerts = apart(look).flatMap((part) => {
    const { replies } = part.longestWaitMs;
    if (replies <= maxWaitMs) return [];
    const its = Math.round(replies / MINUTE_MS);
    const text = `A reply has waited ${count(its, "minute")} for WhatsApp: GET /health says what else is wrong, and hotbags commands list --state pending names those that wait.`;
    return [conditionOf(part, "reply_waits", text, { details: { minutes: its } })];
  });
  return bad(name, minutes, problem, alerts);
}

function ofHandovers({ replies, maxWaitMs }: HealthParts): Finding {
  const name = "gateway_queue_waits_minutes";
  const { count: handed, longestWaitMs } = replies.status.handovers;
  const minutes = Math.round(longestWaitMs / MINUTE_MS);
  if (longestWaitMs <= maxWaitMs) return good(name, minutes);
  const problem = `${count(handed, "reply waits", "replies wait")} in OpenClaw's own queue, the oldest for ${count(minutes, "minute")}: what waits there is sent when WhatsApp takes it, or given back`;
  const alert = condition("reply_waits", `${problem}.`, { subject: "gateway", details: { minutes, count: handed } });
  return bad(name, minutes, problem, [alert]);
}

function ofDeadLetters(look: Look): Finding {
  const alerts = apart(look).flatMap((part) => {
    const { counters, failures } = part;
    const { dead } = counters;
    if (dead === 0) return [];
    const text = `There ${dead === 1 ? "is" : "are"} ${count(dead, "dead letter")}, which Hot Bags has not got, and gets no more by itself. ${lastOf(failures.dead)}See hotbags messages list --state dead, then send them again (hotbags messages retry) or discard them.`;
    return [conditionOf(part, "dead_letter", text, counted(dead))];
  });
  return { ...good("dead_letters", look.counters.dead), alerts };
}

function ofDoubts(look: Look): Finding {
  const alerts = apart(look).flatMap((part) => {
    const { doubtsLeft: doubts } = part;
    if (doubts === 0) return [];
    const text = `Nobody can say whether ${count(doubts, "reply has", "replies have")} reached the customer. What is in doubt is never sent again by itself: see hotbags commands list --state in_doubt, look at the chats on the shop's phone, and say what became of each (hotbags commands resolve).`;
    return [conditionOf(part, "in_doubt", text, counted(doubts))];
  });
  return { ...good("in_doubt", look.doubtsLeft), alerts };
}

/** The value: how many there ever were. */
function ofRefused(look: Look, now: number): Finding {
  const alerts = apart(look).flatMap((part) => {
    const { command_failed: last } = part.failures;
    if (last === null || Math.abs(now - last.at) > REFUSED_MS) return [];
    const text = `A reply was refused, and its customer hears nothing. ${lastOf(last)}See hotbags commands list --state failed: mend what Hot Bags answers, and answer on the shop's phone.`;
    return [conditionOf(part, "refused_command", text, counted(last.count))];
  });
  return { ...good("refused_commands", look.failures.command_failed?.count ?? 0), alerts };
}

/** The value: minutes that the oldest one waits. No customer waits for it, so it is healthy. */
function ofReporting({ reporting, maxWaitMs }: HealthParts, look: Look, kind: "reports" | "events"): Finding {
  const one = { reports: "report", events: "event" }[kind];
  const { problem, isBroken } = reporting[kind].status;
  const why = problem === null ? "" : ` The last failure: ${problem}.`;
  const what = { reports: "what has become of its commands", events: "what has happened to the bridge" }[kind];
  const alerts = apart(look).flatMap((part) => {
    if (!isBroken && part.longestWaitMs[kind] <= maxWaitMs) return [];
    const { [`${kind}_waiting` as const]: waiting, [`${kind}_dropped` as const]: dropped } = part.counters;
    const lost = dropped === 0 ? "" : ` ${count(dropped, one)} ${dropped === 1 ? "was" : "were"} given up so far.`;
    const text = `Hot Bags is not told ${what}: ${count(waiting, `${one} waits`, `${one}s wait`)}.${why}${lost} Messages and replies go on.`;
    const subject = kind === "events" ? kind : "";
    return [conditionOf(part, "reports", text, { subject, amount: dropped, details: { waiting, dropped } })];
  });
  return { ...good(`${one}_waits_minutes`, Math.round(look.longestWaitMs[kind] / MINUTE_MS)), alerts };
}

/** The value: what may be sent. No customer waits for it, so it is healthy. */
function ofOutbound({ outbound, maxWaitMs }: HealthParts): Finding {
  const { mode, problem } = outbound.status;
  const value = good("outbound", mode);
  if (problem === null) return value;
  const text = `What Hot Bags wants to send without being asked stays there: ${problem}. Messages and replies go on.`;
  return { ...value, alerts: [condition("outbox", text, { afterMs: maxWaitMs })] };
}

function counted(amount: number) {
  return { amount, details: { count: amount } };
}

/** Without its message's id: what is over is kept, and the customer may ask to be forgotten. */
function lastOf(failure: Failure | null): string {
  return failure === null ? "" : `The last one: ${failure.reason}. `;
}
