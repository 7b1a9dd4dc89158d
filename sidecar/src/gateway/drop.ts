/**
 * What it means that OpenClaw has given up a message of its own queue. `unsent`: no part of it has gone out, and
 * OpenClaw has it no more, so it may be sent. `unknown`: it may have gone out.
 */
export type DropVerdict = "unsent" | "unknown";

/**
 * OpenClaw's words for a message that it tried five times (over 12 to 13 min). It counts only attempts that ended before
 * anything was given to WhatsApp: after one that may have reached WhatsApp it never tries again, and says so in other
 * words (`refusing blind replay`, `refusing full replay`; dist delivery-queue-recovery, needsUnknownSendReconciliation).
 */
const EXHAUSTED = /^delivery retry budget exhausted\b/;

/** Judges the reason that OpenClaw gives. Words that are not known prove nothing. */
export function verdictOnDrop(reason: string): DropVerdict {
  return EXHAUSTED.test(reason) ? "unsent" : "unknown";
}
