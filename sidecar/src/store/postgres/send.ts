import type { HandedOver, SettledState, Settlement, Told, UnsettledState } from "../commands.ts";
import type { CounterName } from "../counters.ts";
import { DAMAGED, RowContradictedError } from "../errors.ts";
import type { HandoverEnd } from "../handovers.ts";
import { OUTBOX } from "../outbound.ts";
import { checkUnmoved, type MovedRow, movedRows } from "./command-changes.ts";
import { skipHeld } from "./pauses.ts";
import { refused, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

interface Of {
  id: number;
}

const keyOf = ({ id }: Of) => `command ${id}`;

const ids = (inputs: readonly Of[]) => inputs.map(({ id }) => id);

/**
 * The one that is next in the chat of `commands`. As a subquery with an order, and not as NOT EXISTS: where the planner takes it that
 * nothing waits, as most of the time, it would read for each send all that waits anywhere.
 */
const FIRST_OF_CHAT = `SELECT b.id FROM commands b WHERE b.chat = commands.chat AND b.state = 'pending'
  AND NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = b.id) ORDER BY b.id LIMIT 1`;

/** The intent to send, committed before the gateway is asked. Says whose it is, and what is written; null: it must not be sent: a pause holds or skips it, it is not the next one, or its account is not one of `beside`. */
export const SENDING: Verb<
  Of & { gatewayProcess: string | null; beside: readonly string[] },
  (HandedOver & { account: string }) | null
> = {
  name: "sending",
  keyOf,
  async write(writing, inputs) {
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = 'sending', sending_at = $3, sending_boot_ms = $4, gateway_process = g.process
       FROM unnest($5::bigint[], $6::text[]) AS g (id, process) WHERE commands.id = g.id AND commands.account_id = ANY ($8) AND NOT EXISTS
         (SELECT 1 FROM pauses p WHERE p.chat = commands.chat AND p.after_command < commands.id AND p.until_at > $7)
         AND coalesce((${FIRST_OF_CHAT}), commands.id) >= commands.id`,
      "pending",
      ...[
        writing.now,
        writing.bootMs,
        ids(inputs),
        inputs.map(({ gatewayProcess }) => gatewayProcess),
        writing.provenNow,
        // The same of all, but for what has changed between the calls of one turn: a gateway lost it, or got it, just now.
        inputs.at(-1)?.beside ?? [],
      ],
    );
    await checkUnmoved(writing, inputs, moved);
    const accounts = new Map(moved.map(({ id, account_id }) => [id, account_id]));
    const at = { sending_at: writing.now, sending_boot_ms: writing.bootMs };
    return inputs.map(({ id, gatewayProcess }) => {
      const account = accounts.get(id);
      return account === undefined ? null : { ...at, gateway_process: gatewayProcess, account };
    });
  },
};

/** It can't be sent, and that was known before the gateway was asked. */
export const REFUSED: Verb<Of & { reason: string }, void> = {
  name: "refused",
  keyOf,
  async write(writing, inputs) {
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = 'failed', settled_at = $3, last_error = g.reason
       FROM unnest($4::bigint[], $5::text[]) AS g (id, reason) WHERE commands.id = g.id`,
      "pending",
      ...[writing.now, ids(inputs), inputs.map(({ reason }) => reason)],
    );
    await checkUnmoved(writing, inputs, moved);
    noteFailed(writing, moved);
    return inputs.map(() => undefined);
  },
};

/** How the sending ended. Resolves with the chat; null where nothing was changed, since it is settled already. */
export const SETTLED: Verb<Of & { state: SettledState; settlement: Settlement }, number | null> = {
  name: "settled",
  keyOf,
  async write(writing, inputs) {
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = g.state, settled_at = $3, last_error = g.reason, said = g.said,
         whatsapp_message_id = g.whatsapp_id, partial = g.partial
       FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])
         AS g (id, state, reason, said, whatsapp_id, partial) WHERE commands.id = g.id`,
      "sending",
      writing.now,
      ids(inputs),
      inputs.map(({ state }) => state),
      inputs.map(({ settlement }) => settlement.reason),
      inputs.map(({ settlement }) => settlement.said ?? null),
      inputs.map(({ settlement }) => settlement.whatsappMessageId),
      inputs.map(({ settlement }) => settlement.partial ?? false),
    );
    await checkUnmoved(writing, inputs, moved);
    noteFailed(writing, moved);
    return inputs.map(({ id }) => moved.find((row) => row.id === id)?.chat ?? null);
  },
};

/** A command in doubt turned out to have gone. */
export const PROVEN: Verb<Of & { state: "sent" | "queued_by_gateway"; whatsappMessageId: string | null }, void> = {
  name: "proven",
  keyOf,
  async write(writing, inputs) {
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = g.state, settled_at = $3, whatsapp_message_id = g.whatsapp_id, last_error = NULL, said = NULL
       FROM unnest($4::bigint[], $5::text[], $6::text[]) AS g (id, state, whatsapp_id) WHERE commands.id = g.id`,
      "in_doubt",
      writing.now,
      ids(inputs),
      inputs.map(({ state }) => state),
      inputs.map(({ whatsappMessageId }) => whatsappMessageId),
    );
    await checkUnmoved(writing, inputs, moved);
    return inputs.map(() => undefined);
  },
};

/** A gateway process was asked about a command in doubt, and proved nothing. The operator has been told of it by now. */
export const ASKED_IN_VAIN: Verb<Of & { gatewayProcess: string | null }, void> = {
  name: "asked-in-vain",
  keyOf,
  async write(writing, inputs) {
    const asked = await writing.rows<{ id: number }>(
      `UPDATE commands SET asked_process = g.process, alarmed_at = coalesce(alarmed_at, $2)
       FROM unnest($3::bigint[], $4::text[]) AS g (id, process)
       WHERE commands.id = g.id AND commands.account_id = ANY ($1) AND commands.state = 'in_doubt' RETURNING commands.id`,
      ...[writing.accounts, writing.now, ids(inputs), inputs.map(({ gatewayProcess }) => gatewayProcess)],
    );
    await checkUnmoved(writing, inputs, asked);
    return inputs.map(() => undefined);
  },
};

/** It is proven that nothing was sent: the command waits again, unless its chat was paused meanwhile in a way that skips it. */
export const NOT_SENT: Verb<Of & { told: Told }, void> = {
  name: "not-sent",
  keyOf,
  async write(writing, inputs) {
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = 'pending', last_error = g.reason, said = g.said
       FROM unnest($3::bigint[], $4::text[], $5::text[]) AS g (id, reason, said) WHERE commands.id = g.id`,
      "sending",
      ids(inputs),
      inputs.map(({ told }) => told.reason),
      inputs.map(({ told }) => told.said ?? null),
    );
    await checkUnmoved(writing, inputs, moved);
    for (const chat of chatsOf(moved)) await skipHeld(writing, chat);
    return inputs.map(() => undefined);
  },
};

/** OpenClaw has it no more. Without its process: asked again by its key, the gateway would only repeat that it was queued. */
export const HANDOVER_ENDED: Verb<Of & { end: HandoverEnd }, void> = {
  name: "handover-ended",
  keyOf,
  async write(writing, inputs) {
    const ends = new Map(inputs.map(({ id, end }) => [id, end]));
    const moved = await movedRows(
      writing,
      `UPDATE commands SET state = g.state, settled_at = CASE WHEN g.state <> 'pending' THEN $3::bigint END,
         last_error = g.reason, said = g.said, whatsapp_message_id = g.whatsapp_id, gateway_process = NULL
       FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[]) AS g (id, state, reason, said, whatsapp_id)
       WHERE commands.id = g.id`,
      "queued_by_gateway",
      writing.now,
      ids(inputs),
      inputs.map(({ end }) => end.to),
      inputs.map(({ end }) => (end.to === "sent" ? null : end.reason)),
      inputs.map(({ end }) => (end.to === "sent" ? null : (end.said ?? null))),
      inputs.map(({ end }) => (end.to === "sent" ? end.whatsappMessageId : null)),
    );
    await checkUnmoved(writing, inputs, moved);
    for (const row of moved) noteEnd(writing, row, ends.get(row.id));
    for (const chat of chatsOf(moved.filter(({ to }) => to === "pending"))) await skipHeld(writing, chat);
    return inputs.map(() => undefined);
  },
};

/** The row stays as it is, is counted as `to`, and whoever looks for work goes on without it. */
export const COMMAND_PASSED_OVER: Verb<Of & { from: UnsettledState; to: SettledState }, void> = {
  name: "passed-over",
  keyOf,
  async write(writing, inputs) {
    for (const [place, input] of inputs.entries())
      if (!(await passOver(writing, input))) throw refused(place, new RowContradictedError("command", input.id));
    return inputs.map(() => undefined);
  },
};

/** Returns whether there is such a command. */
async function passOver(
  writing: Writing,
  { id, from, to }: Of & { from: UnsettledState; to: SettledState },
): Promise<boolean> {
  const [row] = await writing.rows<{ account_id: string; state: string; message_id: string | null; is_new: boolean }>(
    `WITH passed AS (INSERT INTO passed_over_commands VALUES ($1) ON CONFLICT DO NOTHING RETURNING id)
     SELECT k.account_id, k.state, CASE WHEN m.outbound IS NULL THEN m.message_id END AS message_id,
       EXISTS (SELECT 1 FROM passed) AS is_new
     FROM commands k JOIN messages m USING (seq) WHERE k.id = $1`,
    id,
  );
  if (!row) return false;
  writing.mustOwn(row.account_id);
  if (!row.is_new || from === to || row.state !== from) return true;
  writing.moved(row.account_id, `commands_${from}` as CounterName, `commands_${to}` as CounterName);
  if (to === "failed") writing.failed(row.account_id, "command_failed", row.message_id ?? OUTBOX, DAMAGED);
  return true;
}

function noteFailed(writing: Writing, moved: readonly MovedRow[]): void {
  for (const { to, account_id, message_id, last_error } of moved)
    if (to === "failed")
      writing.failed(account_id, "command_failed", message_id ?? OUTBOX, last_error ?? "it could not be sent");
}

function noteEnd(writing: Writing, { account_id, message_id }: MovedRow, end: HandoverEnd | undefined): void {
  if (end?.to === "sent") writing.count(account_id, "replies_sent_from_queue", 1);
  else if (end?.dropped) {
    writing.count(account_id, "replies_dropped", 1);
    writing.failed(account_id, "reply_dropped", message_id ?? OUTBOX, end.reason);
  }
}

function chatsOf(rows: readonly MovedRow[]): number[] {
  return [...new Set(rows.map(({ chat }) => chat))];
}
