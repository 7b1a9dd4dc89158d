import type { BrakeLimits } from "../replies/brake.ts";
import { type NumberChange, sentenceOn as onChange } from "../replies/number-change.ts";
import { type LockedAccount, sentenceOn as onLock } from "../replies/time-locks.ts";
import { type Damage, RESTORE } from "../store/index.ts";

/** What the operator is told when WhatsApp has locked a number for direct chats. */
export function ofLock(lock: LockedAccount): string {
  return [
    `Replies wait: ${onLock(lock)}`,
    "They go out when it ends; groups are answered meanwhile.",
    "Nothing on this machine shortens it: a restart or a new link does not help.",
    "Answer what can't wait on the shop's phone: chats that customers have begun should go on there.",
    "Look there, too, for what WhatsApp has against the number.",
  ].join(" ");
}

/** When replies wait because an account has another number. */
export function ofNumber(change: NumberChange): string {
  return `Replies wait: ${onChange(change)} Replies to messages that come to the new number go out meanwhile.`;
}

/** When the brake holds the replies of a chat. `chat`: masked. */
export function ofRunaway(account: string, chat: string, limits: BrakeLimits): string {
  return [
    `Replies are held back: the chat ${chat} (account ${account}) got ${describeLimits(limits)}.`,
    "Hot Bags and another bot answer each other there, or Hot Bags answers in a loop; or so many replies had waited while something was away.",
    "Look at the chat on the shop's phone, and have Hot Bags fall silent in it unless it is the last.",
    "Nothing is lost: what waits goes out as fast as the limits allow.",
    "If that many replies are meant, set BRIDGE_CHAT_REPLIES_PER_MINUTE and BRIDGE_CHAT_REPLIES_PER_HOUR higher.",
    "If it happens to more chats within the hour, no further alert is raised: see GET /health.",
  ].join(" ");
}

/** `all`: the next message would meet it as well, so nothing goes on. `rows`: it costs what is on the damaged page. */
export function ofDamage({ failure }: Damage, scope: "all" | "rows"): string {
  return `The sidecar's database is damaged (${failure}). ${CONSEQUENCE[scope]} ${RESTORE}`;
}

const CONSEQUENCE = {
  all: "The next message would meet that too, so nothing is taken in, delivered or answered; nothing is given up for it either.",
  rows: "What needs the damaged page waits, or is given up: GET /health counts it in messages.dead and commands.failed, and the log names it. All else goes on.",
} as const;

function describeLimits({ perMinute, perHour }: BrakeLimits): string {
  const limits = [perMinute > 0 && `${perMinute} replies within a minute`, perHour > 0 && `${perHour} within an hour`];
  return limits.filter(Boolean).join(" or ");
}
