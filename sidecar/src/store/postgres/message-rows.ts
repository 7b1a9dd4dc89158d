import { RowUnreadableError } from "../errors.ts";
import type { InlinedFile } from "../lay-out.ts";
import type { PendingMessage } from "../messages.ts";

/** What a message's POST needs, with its files in `inlined`. Behind it: which message, by `m.seq`. */
export const PENDING = `SELECT m.seq, m.chat, m.message_id, m.account_id, c.chat_id, p.request, m.attempts, m.retrying_ms,
    m.received_at, m.next_attempt_at,
    (SELECT json_agg(json_build_object('position', position, 'sha256', sha256, 'size_bytes', size_bytes, 'place', place) ORDER BY position)
     FROM media d WHERE d.seq = m.seq AND d.place IS NOT NULL) AS inlined
  FROM messages m JOIN chats c USING (chat) LEFT JOIN payloads p USING (seq)`;

const NOT_PASSED_OVER = "NOT EXISTS (SELECT 1 FROM passed_over_messages o WHERE o.seq = messages.seq)";

export const IN_LANE = `state = 'pending' AND NOT detached AND ${NOT_PASSED_OVER}`;
export const DETACHED = `state = 'pending' AND detached AND ${NOT_PASSED_OVER}`;
export const WAITING = `state = 'pending' AND ${NOT_PASSED_OVER}`;

/**
 * Of messages `m` that a statement names by their number. Said so that no index has it: most of the time nothing waits, the
 * planner takes it that this is so, and would read all that waits to find one of which it has the number.
 */
export const IS_STILL_PENDING = "m.state || '' = 'pending'";

export type PendingRow = Omit<PendingMessage, "inlined" | "request"> & {
  request: string | null;
  inlined: InlinedFile[] | null;
};

/** Throws RowUnreadableError where its text is not there. */
export function pendingOf(row: PendingRow | undefined): PendingMessage | undefined {
  if (!row) return undefined;
  const { request, inlined } = row;
  if (request === null) throw new RowUnreadableError("message", row.seq, undefined);
  return { ...row, request, inlined: inlined ?? [] };
}
