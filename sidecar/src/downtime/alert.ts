import type { Happening } from "../alerts/condition.ts";
import type { RecordedDowntime } from "../store/index.ts";
import { durationInWords, instantInWords, spanInWords } from "./local-time.ts";

/** A clock that went forward by less than this, ms, is not worth a sentence. */
const NOTABLE_JUMP_MS = 10_000;

/** What the operator is told of a downtime, in the machine's local time unless told otherwise. */
export function alertOf({ id, accountId, from, to, clockJumpMs }: RecordedDowntime, timeZone?: string): Happening {
  const when =
    from === null
      ? `until ${instantInWords(to, timeZone)}, since when is not known, because this machine's clock was set back meanwhile`
      : spanInWords(from, to, timeZone);
  const text = [
    `WhatsApp was not connected (account ${accountId}) ${when}.`,
    "Messages that customers sent in this time may not have reached Hot Bags, and may be marked as read all the same.",
    "Open WhatsApp on the shop's phone, look at the chats from that time, and answer there what is still unanswered.",
  ];
  if (clockJumpMs >= NOTABLE_JUMP_MS)
    text.push(
      `This machine was paused, or its clock was put forward, by ${durationInWords(clockJumpMs)} in that time; if it was only the clock, the time is shorter by that.`,
    );
  const details = { account: accountId, from: from === null ? null : iso(from), to: iso(to) };
  return {
    id: `downtime-${id}`,
    kind: "downtime",
    subject: accountId,
    account: accountId,
    text: text.join(" "),
    details,
  };
}

const iso = (at: number) => new Date(at).toISOString();
