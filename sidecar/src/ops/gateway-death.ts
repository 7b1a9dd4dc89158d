import type { Happening } from "../alerts/condition.ts";
import { instantInWords } from "../downtime/local-time.ts";
import type { GatewayDeath } from "../gateway/index.ts";

/** What the operator is told of a gateway that has died, in the machine's local time unless told otherwise. */
export function alertOf({ processId, at }: GatewayDeath, timeZone?: string): Happening {
  const text = [
    `The OpenClaw gateway ended without a word on ${instantInWords(at, timeZone)}: it was killed, or it crashed.`,
    "A message that it had just taken from WhatsApp may be lost, and a reply that it was sending may be in doubt (docs/limits.md).",
    "Look at the chats of that instant on the shop's phone, and in the gateway's and the system's log for the reason (a kill for memory?).",
  ].join(" ");
  const id = `gateway_died-${processId.replace(/[^\w-]/g, "").slice(0, 64)}`;
  return { id, kind: "gateway_died", subject: "", account: null, text, details: { at: new Date(at).toISOString() } };
}
