import { groupId } from "@hotbags/shared";
import { chatHistory, deliveredRow } from "./answers.ts";

/** How far back we look; the gateway gives at most 1,000 rows. */
export const HISTORY_ROWS = 1_000;

/**
 * The session that OpenClaw mirrors a delivery into, under `session.dmScope: "per-channel-peer"` (dist session-key
 * buildAgentPeerSessionKey). The account is not part of it: two accounts that write to one person share the transcript.
 */
export function sessionKeyOf(agentId: string, chatId: string): string {
  const kind = groupId.safeParse(chatId).success ? "group" : "direct";
  return `agent:${agentId}:whatsapp:${kind}:${chatId}`;
}

/** The keys of the rows that OpenClaw wrote after delivering something; null if the answer cannot be read. */
export function keysIn(answer: unknown): ReadonlySet<string> | null {
  const parsed = chatHistory.safeParse(answer);
  if (!parsed.success) return null;
  const keys = new Set<string>();
  for (const message of parsed.data.messages) {
    // A row of another kind is of no interest, and one that cannot be read proves nothing.
    const row = deliveredRow.safeParse(message);
    if (!row.success) continue;
    for (const key of [row.data.idempotencyKey, row.data["__openclaw"]?.idempotencyKey])
      if (key !== undefined) keys.add(key);
  }
  return keys;
}
