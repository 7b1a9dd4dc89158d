/** What `reply_payload_sending` may answer: nothing, or that the reply is not to be sent. */
export type ReplyDecision = { cancel: true; reason: string } | undefined;

/**
 * The second lock: whatever OpenClaw itself wants to say on WhatsApp is cancelled. Hot Bags' replies go through the
 * gateway's `send`, which does not pass this hook. (The first lock is `session.sendPolicy`, and works without this
 * plugin.)
 */
export function silence(event: { channel?: string }, context: { channelId: string }): ReplyDecision {
  if (context.channelId !== "whatsapp" && event.channel !== "whatsapp") return undefined;
  return { cancel: true, reason: "Only Hot Bags answers on WhatsApp (plugin hotbags)." };
}
