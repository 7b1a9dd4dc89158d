import { type LockedAccount, sentenceOn } from "../replies/time-locks.ts";
import type { Alert } from "./alert.ts";

/** What the operator is told when WhatsApp has locked a number for direct chats. `now`: wall-clock ms. */
export function lockAlert(lock: LockedAccount, now: number): Alert {
  const { account, until, kind } = lock;
  const text = [
    `Replies wait: ${sentenceOn(lock)}`,
    "They go out when it ends; groups are answered meanwhile.",
    "Nothing on this machine shortens it: a restart or a new link does not help.",
    "Answer what can't wait on the shop's phone: chats that customers have begun should go on there.",
    "Look there, too, for what WhatsApp has against the number.",
  ].join(" ");
  const end = until === null ? null : new Date(until).toISOString();
  return { id: `lock-${now}`, kind: "lock", text, details: { account, until: end, enforcement: kind } };
}
