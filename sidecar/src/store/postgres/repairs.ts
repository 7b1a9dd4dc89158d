import type { Repaired, Resolution } from "../operator.ts";
import { noteInAudit } from "./audit.ts";
import { movedRowsOf } from "./command-changes.ts";
import { lockOthers } from "./lease.ts";
import { forgetAttempts } from "./settle.ts";
import type { Verb } from "./verb.ts";
import type { MessageChange, Writing } from "./writing.ts";

/** What an operator orders, and of what. */
interface Order {
  id: number;
  who: string;
}

interface DeadLetter extends MessageChange {
  chat: number;
  state: string;
  settled_at: number | null;
  duration_ms: number | null;
  status: number | null;
  last_error: string | null;
  attempts: number;
  discarded_at: number | null;
  has_request: boolean;
  is_passed_over: boolean;
  has_twin: boolean;
}

type Refused = Extract<Repaired, { done: false }>;

/**
 * A dead letter waits for delivery again: in its chat's place, with its own key and the bytes that it had, and with
 * as much time as a new one.
 */
export const RETRIED = repairOf("retry", "message", async (writing, { id }) => {
  const found = await deadLetter(writing, id);
  if ("done" in found) return found;
  const reason = whyNotAgain(found);
  if (reason !== null) return { done: false, found: true, reason };
  if (found.settled_at !== null && found.attempts > 0) await noteAttempt(writing, found);
  await writing.rows(
    `UPDATE messages SET state = 'pending', detached = false, attempts = 0, retrying_ms = 0, next_attempt_at = 0,
       settled_at = NULL, duration_ms = NULL, status = NULL, state_since = $2 WHERE seq = $1`,
    ...[id, writing.provenNow],
  );
  writing.moved(found.account_id, "dead", "pending");
  writing.messageChanged(found, "waits_again", found.last_error);
  return { done: true, chat: found.chat };
});

/** The operator is done with a dead letter: its text and its files are deleted, its key stays. */
export const DISCARDED = repairOf("discard", "message", async (writing, { id }) => {
  const found = await deadLetter(writing, id);
  if ("done" in found) return found;
  await writing.rows(
    `WITH request AS (DELETE FROM payloads WHERE seq = $1), response AS (DELETE FROM responses WHERE seq = $1),
       filed AS (DELETE FROM media WHERE seq = $1)
     UPDATE messages SET discarded_at = $2, has_text = false WHERE seq = $1`,
    ...[id, writing.now],
  );
  writing.moved(found.account_id, "dead", "discarded");
  writing.messageChanged(found, "discarded", null);
  return { done: true, chat: found.chat };
});

/** What became of a command in doubt, as the operator says; or what is to become of it. */
export const RESOLVED: Readonly<Record<Resolution, Verb<Order, Repaired>>> = {
  sent: resolution("sent", "state = 'sent', settled_at = $4, last_error = NULL, said = NULL"),
  resend: resolution(
    "resend",
    `state = 'pending', sending_at = NULL, sending_boot_ms = NULL, gateway_process = NULL, asked_process = NULL, alarmed_at = NULL,
       partial = false, settled_at = NULL`,
  ),
  discard: resolution(
    "discard",
    "state = 'failed', settled_at = $4, last_error = 'discarded by the operator', said = NULL",
  ),
};

function resolution(as: Resolution, set: string): Verb<Order, Repaired> {
  return repairOf(`resolve as ${as}`, "command", async (writing, { id }) => {
    const [row] = await writing.rows<{ chat: number; account_id: string; state: string; has_text: boolean }>(
      "SELECT chat, account_id, state, text IS NOT NULL AS has_text FROM commands WHERE id = $1",
      id,
    );
    if (!row) return { done: false, found: false, reason: "there is no such command" };
    if (row.state !== "in_doubt")
      return { done: false, found: true, reason: `it is ${row.state}: only a command in doubt can be resolved` };
    if (as === "resend" && !row.has_text)
      return { done: false, found: true, reason: "its text is forgotten, so that it can't be sent" };
    const values = as === "resend" ? [id] : [id, writing.now];
    const update = `UPDATE commands SET ${set} WHERE commands.id = $3`;
    await movedRowsOf(writing, [row.account_id], update, "in_doubt", ...values);
    return { done: true, chat: row.chat };
  });
}

/** Each, and each that was refused, is in the audit. */
function repairOf(
  action: string,
  kind: "message" | "command",
  change: (writing: Writing, order: Order) => Promise<Repaired>,
): Verb<Order, Repaired> {
  return {
    name: "repair",
    keyOf: ({ id }) => `${kind} ${id}`,
    async write(writing, inputs) {
      const repaired: Repaired[] = [];
      for (const order of inputs) {
        await lockOwner(writing, kind, order.id);
        const one = await change(writing, order);
        if (one.done || one.found)
          await noteInAudit(writing, {
            ...{ who: order.who, action, kind, subject: order.id },
            result: one.done ? "done" : one.reason,
          });
        repaired.push(one);
      }
      return repaired;
    },
  };
}

/** Whoever owns its account writes nothing of it until this transaction's end. */
async function lockOwner(writing: Writing, kind: "message" | "command", id: number): Promise<void> {
  const rows = await writing.rows<{ account_id: string }>(
    kind === "message"
      ? "SELECT account_id FROM messages WHERE seq = $1"
      : "SELECT account_id FROM commands WHERE id = $1",
    id,
  );
  await lockOthers(
    writing,
    rows.map(({ account_id }) => account_id),
  );
}

async function deadLetter(writing: Writing, id: number): Promise<DeadLetter | Refused> {
  const [row] = await writing.rows<DeadLetter>(
    `SELECT m.seq, m.account_id, c.chat_id, m.message_id, m.outbound, m.chat, m.state, m.settled_at, m.duration_ms, m.status,
       m.last_error, m.attempts, m.discarded_at, EXISTS (SELECT 1 FROM payloads p WHERE p.seq = m.seq) AS has_request,
       EXISTS (SELECT 1 FROM passed_over_messages o WHERE o.seq = m.seq) AS is_passed_over,
       EXISTS (SELECT 1 FROM messages t WHERE t.message_id = m.message_id AND t.chat <> m.chat) AS has_twin
     FROM messages m JOIN chats c USING (chat) WHERE m.seq = $1`,
    id,
  );
  if (!row) return { done: false, found: false, reason: "there is no such message" };
  if (row.discarded_at !== null) return { done: false, found: true, reason: "it was discarded" };
  if (row.state !== "dead") return { done: false, found: true, reason: `it is ${row.state}, and no dead letter` };
  return row;
}

/** Why a dead letter must not, or can't, be POSTed once more; null: it can. */
function whyNotAgain({ has_request, is_passed_over, has_twin }: DeadLetter): string | null {
  if (!has_request) return "its text is gone: the page of the database is damaged";
  if (is_passed_over) return "its row can't be written: a page of the database is damaged";
  // Hot Bags would take one for a repetition of the other, and give the other's answer.
  return has_twin ? "another chat's message has the same id, which is its key: answer this one by hand" : null;
}

/** What made it a dead letter was in its own row. */
async function noteAttempt(writing: Writing, letter: DeadLetter): Promise<void> {
  const { seq, settled_at, duration_ms, status, last_error } = letter;
  const noted = await writing.rows<{ seq: number; attempt: number }>(
    `INSERT INTO attempts (seq, attempt, at, duration_ms, status, error)
     SELECT $1, coalesce((SELECT max(attempt) FROM attempts WHERE seq = $1), 0) + 1, $2, $3, $4, $5 RETURNING seq, attempt`,
    ...[seq, settled_at, duration_ms, status, last_error],
  );
  await forgetAttempts(writing, noted);
}
