import { randomBytes, randomInt } from "node:crypto";
import type { InboundMessage } from "@hotbags/shared";

/**
 * Made-up messages at the most. Their ids are random: where an index is in the order of ids, each comes to another page
 * of it, and one damaged page among several is not the whole store's damage.
 */
export const TRIES = 8;

/** A message that there is not. */
export function madeUp(): InboundMessage {
  const number = `+${randomInt(10 ** 11, 10 ** 12)}`;
  return {
    account_id: "default",
    message_id: randomBytes(16).toString("hex").toUpperCase(),
    chat_id: number,
    from: number,
    text: "rehearsal",
    media: [],
    // Behind any time that a restore has lost: its reply is to be rehearsed, too.
    timestamp: "9999-12-31T23:59:59.999Z",
    raw: {},
  };
}
