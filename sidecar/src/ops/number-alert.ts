import { type NumberChange, sentenceOn } from "../replies/number-change.ts";
import type { Alert } from "./alert.ts";

/** What the operator is told when replies wait because an account has another number. `now`: wall-clock ms. */
export function numberAlert(change: NumberChange, now: number): Alert {
  const text = `Replies wait: ${sentenceOn(change)} Replies to messages that come to the new number go out meanwhile.`;
  const { account, writtenTo, linked } = change;
  return { id: `number-${now}`, kind: "number", text, details: { account, written_to: writtenTo, linked } };
}
