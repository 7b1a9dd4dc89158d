import type { ErasureRequest } from "../operator.ts";
import { add, chunkAfter, type Found, type MessageOf, NOTHING } from "./customer-search.ts";
import { forgottenId } from "./forgotten.ts";
import { lockOthers } from "./lease.ts";
import type { Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

const REASON = "the customer asked to be forgotten";

/** `left`: how many messages were left so far. */
export type Erasing = Omit<ErasureRequest, "forgotten">;

/** What one transaction has come to. */
interface ErasedChunk {
  found: Found;
  forgotten: number;
  left: number;
  next: number | null;
  isNumberGone: boolean;
  chats: number[];
  resolved: { id: number; chat: number }[];
  /** Those that a message had. */
  files: string[];
}

/** Forgets a customer in the next messages; with the last ones the number, too, unless something of theirs waits. */
export const FORGOTTEN_CHUNK: Verb<Erasing, ErasedChunk> = {
  name: "forget-customer",
  keyOf: ({ number }) => `forget ${number}`,
  async write(writing, inputs) {
    const done: ErasedChunk[] = [];
    for (const input of inputs) done.push(await forgetChunk(writing, input));
    return done;
  },
};

async function forgetChunk(writing: Writing, request: Erasing): Promise<ErasedChunk> {
  const { number, after, includingWaiting } = request;
  await lockAccounts(writing, number, await chunkAfter(writing, number, after));
  const { rows, next } = await chunkAfter(writing, number, after);
  const found = { ...NOTHING };
  for (const row of rows) add(row, found);
  const gone = rows.filter((row) => !mustStay(row, includingWaiting));
  const left = rows.length - gone.length;
  const chats = await giveUpMessages(writing, gone);
  const resolved = await giveUpCommands(writing, gone);
  const files = await scrub(writing, gone);
  const isNumberGone = next === null && (await forgetNumber(writing, number, request.left + left));
  return { found, forgotten: gone.length, left, next, isNumberGone, chats, resolved, files };
}

/** Whoever owns an account of the customer's writes nothing of it until this transaction's end. */
async function lockAccounts(writing: Writing, number: string, { rows }: { rows: readonly MessageOf[] }): Promise<void> {
  const chats = await writing.rows<{ account_id: string }>("SELECT account_id FROM chats WHERE chat_id = $1", number);
  await lockOthers(
    writing,
    [...chats, ...rows].map(({ account_id }) => account_id),
  );
}

/** What is with the gateway can't be called back, and what came of it must be written down. */
function mustStay({ state, commands }: MessageOf, includingWaiting: boolean): boolean {
  const are = (...states: string[]) => commands.some((command) => states.includes(command.state));
  if (are("sending", "queued_by_gateway")) return true;
  return !includingWaiting && (state === "pending" || are("pending", "in_doubt"));
}

/** What waits becomes a dead letter, and dead letters are discarded. Returns the chats of these. */
async function giveUpMessages(writing: Writing, gone: readonly MessageOf[]): Promise<number[]> {
  const pending = gone.filter(({ state }) => state === "pending");
  const dead = gone.filter(({ state, discarded_at }) => state !== "delivered" && discarded_at === null);
  if (dead.length === 0) return [];
  await writing.rows(
    `UPDATE messages SET state = 'dead', detached = false, settled_at = $2, state_since = $3, status = NULL, last_error = $4
     WHERE seq = ANY ($1)`,
    ...[pending.map(({ seq }) => seq), writing.now, writing.provenNow, REASON],
  );
  await writing.rows(
    "UPDATE messages SET discarded_at = $2 WHERE seq = ANY ($1)",
    ...[dead.map(({ seq }) => seq), writing.now],
  );
  for (const row of pending) {
    writing.moved(row.account_id, "pending", "dead");
    if (row.detached) writing.count(row.account_id, "detached", -1);
    writing.messageChanged(row, "dead", REASON);
  }
  for (const row of dead) {
    writing.moved(row.account_id, "dead", "discarded");
    writing.messageChanged(row, "discarded", null);
  }
  return dead.map(({ chat }) => chat);
}

/** Replies that wait, or are in doubt, fail. */
async function giveUpCommands(writing: Writing, gone: readonly MessageOf[]): Promise<{ id: number; chat: number }[]> {
  const failed = gone.flatMap(({ commands, ...message }) =>
    commands
      .filter(({ state }) => state === "pending" || state === "in_doubt")
      .map((command) => ({ message, command })),
  );
  if (failed.length === 0) return [];
  await writing.rows(
    "UPDATE commands SET state = 'failed', settled_at = $2, last_error = $3 WHERE id = ANY ($1)",
    ...[failed.map(({ command }) => command.id), writing.now, REASON],
  );
  for (const { message, command } of failed) {
    const { seq, account_id, chat_id } = message;
    writing.moved(
      account_id,
      command.state === "pending" ? "commands_pending" : "commands_in_doubt",
      "commands_failed",
    );
    // Without its id: of whoever is forgotten nothing is reported.
    writing.commandChanged({
      ...{ id: command.id, seq, account_id, chat_id, message_id: null, command_id: null, owns_id: true },
      ...{ from: command.state, to: "failed", whatsapp_message_id: null, partial: false, last_error: REASON },
    });
  }
  return failed.map(({ message, command }) => ({ id: command.id, chat: message.chat }));
}

/** A reason can quote what OpenClaw or Hot Bags said, and so the customer. */
const scrubbed = (column: string) => `CASE WHEN ${column} IS NOT NULL THEN 'forgotten with its customer' END`;

/** Keyed hashes stay of the ids, so that what comes again is known. Returns the files that there were. */
async function scrub(writing: Writing, gone: readonly MessageOf[]): Promise<string[]> {
  if (gone.length === 0) return [];
  const { secret } = await secretOf(writing);
  const seqs = gone.map(({ seq }) => seq);
  const ids = gone.map(({ message_id }) => message_id);
  const filed = await writing.rows<{ sha256: string }>(
    `WITH request AS (DELETE FROM payloads WHERE seq = ANY ($1)), response AS (DELETE FROM responses WHERE seq = ANY ($1)),
       tried AS (DELETE FROM attempts WHERE seq = ANY ($1)),
       named AS (
         UPDATE messages m SET message_id = g.key, has_text = false, last_error = ${scrubbed("m.last_error")}
         FROM unnest($1::bigint[], $2::text[]) AS g (seq, key) WHERE m.seq = g.seq
       ), failed AS (
         UPDATE failures f SET message_id = g.key, reason = ${scrubbed("f.reason")}
         FROM unnest($3::text[], $2::text[]) AS g (id, key) WHERE f.message_id = g.id
       )
     DELETE FROM media WHERE seq = ANY ($1) RETURNING sha256`,
    seqs,
    ids.map((id) => forgottenId(secret, id)),
    ids,
  );
  const commands = gone.flatMap((message) => message.commands);
  // Without the hash of its text: of a short one that would tell what it was.
  await writing.rows(
    `UPDATE commands k SET command_id = g.key, text = NULL, details = NULL, file = NULL, said = NULL, payload_sha256 = '',
       whatsapp_message_id = NULL, last_error = ${scrubbed("k.last_error")}
     FROM unnest($1::bigint[], $2::text[]) AS g (id, key) WHERE k.id = g.id`,
    commands.map(({ id }) => id),
    commands.map(({ command_id }) => (command_id === null ? null : forgottenId(secret, command_id))),
  );
  // What Hot Bags was still to be told of it has the number in it.
  const untold = await writing.rows<{ account_id: string }>(
    "DELETE FROM reports WHERE kind = 'command' AND lane = ANY ($1) RETURNING account_id",
    commands.map(({ id }) => id),
  );
  for (const { account_id } of untold) writing.moved(account_id, "reports_waiting", "reports_dropped");
  return [...new Set(filed.map(({ sha256 }) => sha256))];
}

/** Returns whether the number is no longer in the table of chats: where something of theirs waits, it must stay. */
async function forgetNumber(writing: Writing, number: string, left: number): Promise<boolean> {
  if (left > 0) return false;
  const chats = await writing.rows<{ chat: number; waits: boolean }>(
    `SELECT chat, EXISTS (SELECT 1 FROM messages m WHERE m.chat = c.chat AND m.state = 'pending')
       OR EXISTS (SELECT 1 FROM commands k JOIN messages m USING (seq) WHERE m.chat = c.chat
         AND k.state IN ('pending', 'sending', 'in_doubt', 'queued_by_gateway')) AS waits
     FROM chats c WHERE chat_id = $1`,
    number,
  );
  if (chats.some(({ waits }) => waits)) return false;
  if (chats.length === 0) return true;
  const { secret } = await secretOf(writing);
  const numbers = chats.map(({ chat }) => chat);
  await writing.rows("DELETE FROM pauses WHERE chat = ANY ($1)", numbers);
  await writing.rows(
    "UPDATE chats SET chat_id = $2::text || ':' || chat WHERE chat = ANY ($1)",
    ...[numbers, forgottenId(secret, number)],
  );
  return true;
}

async function secretOf(writing: Writing): Promise<{ secret: Buffer }> {
  const [row] = await writing.rows<{ secret: Buffer }>("SELECT secret FROM erasure WHERE id = 1");
  if (!row) throw new Error("there is no key for what is forgotten");
  return row;
}
