import { maskAddress } from "@hotbags/shared";
import type { BrakeLimits } from "../replies/brake.ts";
import type { Alert } from "./alert.ts";

/** Whose replies are held. */
interface RunawayChat {
  account_id: string;
  chat_id: string;
}

/** What the operator is told when the brake holds the replies of a chat. `now`: wall-clock ms. */
export function runawayAlert({ account_id: account, chat_id }: RunawayChat, limits: BrakeLimits, now: number): Alert {
  const chat = maskAddress(chat_id);
  const text = [
    `Replies are held back: the chat ${chat} (account ${account}) got ${describeLimits(limits)}.`,
    "Either Hot Bags and another bot answer each other there, or Hot Bags answers in a loop.",
    "Look at the chat on the shop's phone, and have Hot Bags fall silent in it.",
    "Nothing is lost: what waits goes out as fast as the limits allow.",
    "If that many replies are meant, set BRIDGE_CHAT_REPLIES_PER_MINUTE and BRIDGE_CHAT_REPLIES_PER_HOUR higher.",
    "If it happens to more chats within the hour, no further alert is raised: see GET /health.",
  ].join(" ");
  return { id: `runaway-${now}`, kind: "runaway", text, details: { account, chat } };
}

function describeLimits({ perMinute, perHour }: BrakeLimits): string {
  const limits = [perMinute > 0 && `${perMinute} replies within a minute`, perHour > 0 && `${perHour} within an hour`];
  return limits.filter(Boolean).join(" or ");
}
