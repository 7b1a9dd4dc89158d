import type pg from "pg";
import { FencedOffError, type Lease } from "../../sidecar/src/store/postgres/lease.ts";

// The messages as their own queue, as small as it gets, for what it costs beside an engine: sidecar/src/store/postgres/ has
// all of it. A chat's order is that of `seq`, whoever owns the account reads it by an index, and nothing is claimed: the
// lease has claimed it all.

export interface NewMessage {
  chat: string;
  messageId: string;
  request: Uint8Array;
}

export interface Waiting {
  seq: string;
  request: Buffer;
  attempts: number;
}

export interface Answer {
  seq: string;
  commands: { commandId: string; text: string }[];
}

const LANE = "state = 'pending' AND NOT detached";
const WAITING = "SELECT m.seq, p.request, m.attempts FROM messages m JOIN payloads p USING (seq)";

async function guard(tx: pg.ClientBase, { account, token }: Lease): Promise<void> {
  const owned = "SELECT 1 FROM leases WHERE account_id = $1 AND token = $2 FOR SHARE";
  if ((await tx.query(owned, [account, token])).rowCount !== 1) throw new FencedOffError(account);
}

/** Takes messages in, in their order; one whose id is known is nothing new. */
export async function accept(tx: pg.ClientBase, lease: Lease, messages: readonly NewMessage[]): Promise<void> {
  await guard(tx, lease);
  await tx.query(
    `WITH given AS (
       SELECT * FROM unnest($2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY AS g (chat_id, message_id, request, n)
     ), known AS (
       SELECT chat, chat_id FROM chats WHERE account_id = $1 AND chat_id IN (SELECT chat_id FROM given)
     ), made AS (
       INSERT INTO chats (account_id, chat_id)
       SELECT DISTINCT $1, chat_id FROM given WHERE chat_id NOT IN (SELECT chat_id FROM known) RETURNING chat, chat_id
     ), taken AS (
       INSERT INTO messages (chat, message_id)
       SELECT chat, message_id FROM given JOIN (TABLE known UNION ALL TABLE made) c USING (chat_id) ORDER BY n
       ON CONFLICT (message_id) DO NOTHING RETURNING seq, message_id
     ), paid AS (
       INSERT INTO payloads (seq, request) SELECT seq, request FROM taken JOIN given USING (message_id)
     )
     INSERT INTO counters SELECT $1, 'accepted', count(*) FROM taken
     ON CONFLICT (account_id, name) DO UPDATE SET value = counters.value + excluded.value`,
    [
      lease.account,
      ...(["chat", "messageId", "request"] as const).map((column) => messages.map((message) => message[column])),
    ],
  );
}

/** The message that is next in a chat, whether it is due or not: that is its lane's business. */
export async function headOf(db: Pick<pg.Pool, "query">, chat: string): Promise<Waiting | undefined> {
  const { rows } = await db.query<Waiting>(
    `${WAITING} WHERE seq = (SELECT seq FROM messages WHERE chat = $1 AND ${LANE} ORDER BY seq LIMIT 1)`,
    [chat],
  );
  return rows[0];
}

/** Responses, `delivered` and the commands. */
export async function delivered(tx: pg.ClientBase, lease: Lease, answers: readonly Answer[]): Promise<void> {
  await guard(tx, lease);
  const commands = answers.flatMap(({ seq, commands: of }) =>
    of.map((command, position) => ({ seq, position, ...command })),
  );
  await tx.query(
    `WITH settled AS (
       UPDATE messages SET state = 'delivered', attempts = attempts + 1, settled_at = now(), status = 200
       WHERE seq = ANY ($2::bigint[]) AND state = 'pending' RETURNING seq, chat
     ), answered AS (
       UPDATE payloads SET response = '{}' FROM settled WHERE payloads.seq = settled.seq
     ), ordered AS (
       INSERT INTO commands (seq, chat, position, command_id, text)
       SELECT seq, chat, position, command_id, text
       FROM unnest($3::bigint[], $4::int[], $5::text[], $6::text[]) WITH ORDINALITY
         AS c (seq, position, command_id, text, n) JOIN settled USING (seq) ORDER BY n
       ON CONFLICT (command_id) DO NOTHING
     )
     INSERT INTO counters SELECT $1, 'delivered', count(*) FROM settled
     ON CONFLICT (account_id, name) DO UPDATE SET value = counters.value + excluded.value`,
    [
      ...[lease.account, answers.map(({ seq }) => seq)],
      ...(["seq", "position", "commandId", "text"] as const).map((column) => commands.map((of) => of[column])),
    ],
  );
}

/** `sending`, for several chats' next commands at once. Returns those that may be sent. */
export async function sending(tx: pg.ClientBase, lease: Lease, ids: readonly string[]): Promise<string[]> {
  await guard(tx, lease);
  const { rows } = await tx.query<{ id: string }>(
    "UPDATE commands SET state = 'sending' WHERE id = ANY ($1::bigint[]) AND state = 'pending' RETURNING id",
    [ids],
  );
  return rows.map(({ id }) => id);
}

/** The gateway says that they are sent. */
export async function sent(tx: pg.ClientBase, lease: Lease, ids: readonly string[]): Promise<void> {
  await guard(tx, lease);
  await tx.query(
    `UPDATE commands SET state = 'sent', settled_at = now(), whatsapp_message_id = 'WA' || id
     WHERE id = ANY ($1::bigint[]) AND state = 'sending'`,
    [ids],
  );
}
