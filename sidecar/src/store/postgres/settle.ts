import type { CommandFromResponse, RecordedCommand } from "../commands.ts";
import { DAMAGED, RowContradictedError } from "../errors.ts";
import type { FailedAttempt } from "../messages.ts";
import { FencedOffError } from "./lease.ts";
import { IS_STILL_PENDING } from "./message-rows.ts";
import { type AnsweredMessage, record } from "./record.ts";
import { refuse, refused, type Verb } from "./verb.ts";
import { type MessageChange, nameOf, type Writing } from "./writing.ts";

/** Attempts of a message that are kept: where it began to fail, and how it fails now. */
const KEPT_FIRST = 5;
const KEPT_LAST = 20;

/** The attempt that settles a message. */
interface LastAttempt {
  seq: number;
  status: number | null;
  /** Ms; undefined: not measured. */
  durationMs?: number | undefined;
}

export interface Delivery extends LastAttempt {
  response: string;
  commands: readonly CommandFromResponse[];
}

export interface Death extends LastAttempt {
  error: string;
}

export interface Failure extends FailedAttempt {
  seq: number;
}

/** A message whose row can't be changed, and how it is counted from now on. */
export interface PassedOver {
  seq: number;
  wasDetached: boolean;
  /** Undefined: it becomes a dead letter. Otherwise Hot Bags has answered it. */
  commands?: readonly CommandFromResponse[];
}

interface SettledRow extends MessageChange {
  chat: number;
  detached: boolean;
  maybe_answered: boolean;
  skips: boolean;
}

const keyOf = ({ seq }: { seq: number }) => `message ${seq}`;

/** The response, `delivered` and the commands. Of one that was settled before there are none: they are in already. */
export const DELIVERED: Verb<Delivery, RecordedCommand[]> = {
  name: "delivered",
  keyOf,
  async write(writing, inputs) {
    const rows = await settle(writing, "delivered", inputs);
    const answers = inputs.flatMap(({ seq, commands }) => {
      const row = rows.get(seq);
      return row && commands.length > 0 ? [{ seq, answered: answeredOf(row), commands }] : [];
    });
    const recorded = answers.length === 0 ? [] : await record(writing, answers);
    const bySeq = new Map(answers.map(({ seq }, n) => [seq, recorded[n] ?? []]));
    return inputs.map(({ seq }) => bySeq.get(seq) ?? []);
  },
};

/** The last attempt failed: the message waits for the operator. */
export const DEAD: Verb<Death, void> = {
  name: "dead",
  keyOf,
  async write(writing, inputs) {
    const rows = await settle(writing, "dead", inputs);
    for (const { seq, error } of inputs) {
      const row = rows.get(seq);
      if (row) writing.failed(row.account_id, "dead", nameOf(row), error);
    }
    return inputs.map(() => undefined);
  },
};

/** An attempt failed and another one will follow. Says whether the message left its chat's lane by it. */
export const FAILED: Verb<Failure, boolean> = {
  name: "attempt-failed",
  keyOf,
  async write(writing, inputs) {
    const rows = await writing.rows<MessageChange & { was_detached: boolean; attempt: number }>(
      // A message that is locked here is changed by nobody else: what it was is what is changed.
      `WITH given AS (
         SELECT * FROM unnest($3::bigint[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::boolean[])
           AS g (seq, error, status, duration_ms, next_attempt_at, wait_ms, detach)
       ), before AS (
         SELECT seq, detached FROM messages WHERE seq = ANY ($3) FOR UPDATE
       ), failed AS (
         UPDATE messages m SET attempts = attempts + 1, retrying_ms = retrying_ms + g.wait_ms, last_attempt_at = $2::bigint,
           next_attempt_at = g.next_attempt_at, status = g.status, last_error = g.error, detached = m.detached OR g.detach
         FROM given g JOIN before b USING (seq)
         WHERE m.seq = g.seq AND ${IS_STILL_PENDING} AND m.account_id = ANY ($1)
         RETURNING m.seq, m.account_id, m.chat, m.message_id, m.outbound, b.detached AS was_detached, g.duration_ms, g.status,
           g.error
       ), noted AS (
         INSERT INTO attempts (seq, attempt, at, duration_ms, status, error)
         SELECT seq, coalesce((SELECT max(a.attempt) FROM attempts a WHERE a.seq = failed.seq), 0) + 1, $2::bigint, duration_ms, status, error
         FROM failed RETURNING seq, attempt
       )
       SELECT f.*, c.chat_id, n.attempt FROM failed f JOIN noted n USING (seq) JOIN chats c USING (chat)`,
      ...[writing.accounts, writing.now],
      inputs.map(({ seq }) => seq),
      inputs.map(({ error }) => error),
      inputs.map(({ status }) => status),
      inputs.map(({ durationMs }) => rounded(durationMs)),
      inputs.map(({ nextAttemptAt }) => Math.round(nextAttemptAt)),
      inputs.map(({ waitMs }) => Math.round(waitMs)),
      inputs.map(({ detach }) => detach),
    );
    const failed = new Map(rows.map((row) => [row.seq, row]));
    await checkUnchanged(writing, inputs, failed);
    await forgetAttempts(writing, rows);
    return inputs.map(({ seq, detach, error }) => {
      const row = failed.get(seq);
      if (!row) return false;
      writing.messageChanged(row, "attempt_failed", error);
      if (!detach) return false;
      writing.failed(row.account_id, "detached", nameOf(row), error);
      if (!row.was_detached) writing.count(row.account_id, "detached", 1);
      return !row.was_detached;
    });
  },
};

/** The row stays as it is, and whoever looks for work goes on without it. */
export const PASSED_OVER: Verb<PassedOver, RecordedCommand[]> = {
  name: "passed-over",
  keyOf,
  async write(writing, inputs) {
    const recorded: RecordedCommand[][] = [];
    for (const [place, input] of inputs.entries()) {
      const commands = await passOver(writing, input);
      if (!commands) throw refused(place, new RowContradictedError("message", input.seq));
      recorded.push(commands);
    }
    return recorded;
  },
};

/** Undefined: there is no such message. */
async function passOver(
  writing: Writing,
  { seq, wasDetached, commands }: PassedOver,
): Promise<RecordedCommand[] | undefined> {
  const [row] = await writing.rows<SettledRow & { state: string; is_new: boolean }>(
    `WITH passed AS (INSERT INTO passed_over_messages VALUES ($1) ON CONFLICT DO NOTHING RETURNING seq)
     SELECT m.seq, m.account_id, m.chat, c.chat_id, m.message_id, m.outbound, m.detached, m.maybe_answered, m.state,
       EXISTS (SELECT 1 FROM passed) AS is_new, ${SKIPS} AS skips
     FROM messages m JOIN chats c USING (chat) WHERE m.seq = $1`,
    ...[seq, writing.provenNow],
  );
  if (!row) return undefined;
  writing.mustOwn(row.account_id);
  if (!row.is_new || row.state !== "pending") return [];
  const to = commands ? "delivered" : "dead";
  count(writing, { ...row, detached: wasDetached }, to);
  if (!commands) writing.failed(row.account_id, "dead", nameOf(row), DAMAGED);
  return commands ? ((await record(writing, [{ answered: answeredOf(row), commands }]))[0] ?? []) : [];
}

/** Whether a pause of the chat `c.chat` lasts by which replies are skipped; `$2` is the proven time. */
const SKIPS =
  "EXISTS (SELECT 1 FROM pauses s WHERE s.chat = c.chat AND s.until_at > $2::bigint AND s.replies = 'skip')";

async function settle(
  writing: Writing,
  state: "delivered" | "dead",
  inputs: readonly (LastAttempt & { response?: string; error?: string })[],
): Promise<Map<number, SettledRow>> {
  const rows = await writing.rows<SettledRow>(
    `WITH given AS (
       SELECT * FROM unnest($5::bigint[], $6::int[], $7::text[], $8::bigint[], $9::text[])
         AS g (seq, status, error, duration_ms, response)
     ), settled AS (
       UPDATE messages m SET state = $3::text, attempts = attempts + 1, settled_at = $4::bigint, state_since = $2::bigint, status = g.status,
         last_error = g.error, duration_ms = g.duration_ms
       FROM given g WHERE m.seq = g.seq AND ${IS_STILL_PENDING} AND m.account_id = ANY ($1)
       RETURNING m.seq, m.account_id, m.chat, m.message_id, m.outbound, m.detached, m.maybe_answered, g.response
     ), answered AS (
       INSERT INTO responses (seq, response) SELECT seq, response FROM settled WHERE response IS NOT NULL
     ), filed AS (
       UPDATE media SET delivered_at = $4::bigint FROM settled WHERE media.seq = settled.seq AND $3::text = 'delivered'
     )
     SELECT s.*, c.chat_id, ${SKIPS} AS skips FROM settled s JOIN chats c USING (chat)`,
    ...[writing.accounts, writing.provenNow, state, writing.now],
    inputs.map(({ seq }) => seq),
    inputs.map(({ status }) => status),
    inputs.map(({ error }) => error ?? null),
    inputs.map(({ durationMs }) => rounded(durationMs)),
    inputs.map(({ response }) => response ?? null),
  );
  const settled = new Map(rows.map((row) => [row.seq, row]));
  await checkUnchanged(writing, inputs, settled);
  for (const { seq, error = null } of inputs) {
    const row = settled.get(seq);
    if (!row) continue;
    count(writing, row, state);
    writing.messageChanged(row, state, error);
  }
  return settled;
}

function count(writing: Writing, { account_id, detached }: SettledRow, to: "delivered" | "dead"): void {
  writing.moved(account_id, "pending", to);
  if (detached) writing.count(account_id, "detached", -1);
}

/** Of calls that have changed nothing: that is in order where the message was settled before. */
async function checkUnchanged(
  writing: Writing,
  inputs: readonly { seq: number }[],
  changed: ReadonlyMap<number, unknown>,
): Promise<void> {
  if (changed.size === inputs.length) return;
  const rows = await writing.rows<{ seq: number; account_id: string }>(
    "SELECT seq, account_id FROM messages WHERE seq = ANY ($1)",
    inputs.filter(({ seq }) => !changed.has(seq)).map(({ seq }) => seq),
  );
  const accounts = new Map(rows.map(({ seq, account_id }) => [seq, account_id]));
  refuse(inputs, ({ seq }) => {
    if (changed.has(seq)) return undefined;
    const account = accounts.get(seq);
    if (account === undefined) return new RowContradictedError("message", seq);
    return writing.owns(account) ? undefined : new FencedOffError(account);
  });
}

/** Of each message so many are kept; `attempt`: its newest. */
export async function forgetAttempts(
  writing: Writing,
  rows: readonly { seq: number; attempt: number }[],
): Promise<void> {
  const long = rows.filter(({ attempt }) => attempt > KEPT_FIRST + KEPT_LAST);
  if (long.length === 0) return;
  await writing.rows(
    `DELETE FROM attempts USING unnest($1::bigint[], $2::bigint[]) AS g (seq, upto)
     WHERE attempts.seq = g.seq AND attempt > $3 AND attempt <= g.upto`,
    long.map(({ seq }) => seq),
    long.map(({ attempt }) => attempt - KEPT_LAST),
    KEPT_FIRST,
  );
}

function answeredOf({ outbound, message_id, ...row }: SettledRow): AnsweredMessage {
  return { ...row, message_id: outbound === null ? message_id : null };
}

function rounded(ms: number | null | undefined): number | null {
  return ms == null ? null : Math.round(ms);
}
