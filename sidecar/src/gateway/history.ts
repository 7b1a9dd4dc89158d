import { groupId } from "@hotbags/shared";
import { chatHistory, deliveredRow } from "./answers.ts";

/** How far back we look; the gateway gives at most 1,000 rows. */
export const HISTORY_ROWS = 1_000;

/**
 * The session that OpenClaw mirrors a delivery into, under `session.dmScope: "per-channel-peer"` (dist session-key buildAgentPeerSessionKey; for
 * groups the WhatsApp plugin's group-session-key, observed with a second account). Two accounts that write to one person share the
 * transcript; in a group every account but `default` has its own.
 */
export function sessionKeyOf(agentId: string, accountId: string, chatId: string): string {
  if (!groupId.safeParse(chatId).success) return `agent:${agentId}:whatsapp:direct:${chatId}`;
  const account = accountId.toLowerCase();
  const thread = account === "default" ? "" : `:thread:whatsapp-account-${account}`;
  return `agent:${agentId}:whatsapp:group:${chatId}${thread}`;
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
