import type { Clock } from "../../clock.ts";
import type { OperatorReads } from "../operator.ts";
import type { Queries } from "./connection.ts";

type SearchStep = Awaited<ReturnType<OperatorReads["find"]>>;
export type Found = SearchStep["found"];

/** Messages that are looked at in one go, whoever they are of. */
const CHUNK = 1_000;

/** One request goes on for so long, ms, then says how far it has come. */
export const STEP_MS = 1_000;

export const NOTHING: Found = {
  ...{ messages: 0, waiting: 0, dead: 0, replies_waiting: 0, replies_in_doubt: 0, replies_being_sent: 0, files: 0 },
};

/** A message of a customer's, with what hangs on it. */
export interface MessageOf {
  seq: number;
  account_id: string;
  chat: number;
  chat_id: string;
  message_id: string;
  outbound: string | null;
  state: "pending" | "delivered" | "dead";
  detached: boolean;
  discarded_at: number | null;
  files: number;
  commands: { id: number; state: string; command_id: string | null }[];
}

/**
 * The messages of a customer among the next ones, of all accounts: those of their own chats, and what they wrote in groups.
 * `next`: where those behind begin; null: there are none.
 */
export async function chunkAfter(
  db: Queries,
  number: string,
  after: number,
): Promise<{ rows: MessageOf[]; next: number | null }> {
  const found = await db.rows<{ looked: number; last: number | null; row: MessageOf | null }>(
    `WITH chunk AS MATERIALIZED (
       SELECT m.seq, m.account_id, m.chat, c.chat_id, m.message_id, m.outbound, m.state, m.detached, m.discarded_at
       FROM messages m JOIN chats c USING (chat) WHERE m.seq > $1 ORDER BY m.seq LIMIT ${CHUNK}
     ), mine AS (
       SELECT *, (SELECT count(*) FROM media d WHERE d.seq = chunk.seq) AS files,
         coalesce((SELECT json_agg(json_build_object('id', k.id, 'state', k.state, 'command_id', k.command_id) ORDER BY k.id)
                   FROM commands k WHERE k.seq = chunk.seq), '[]') AS commands
       FROM chunk WHERE CASE WHEN chat_id = $2 THEN message_id !~ '^forgotten:[0-9a-f]{64}'
         WHEN chat_id LIKE '%@g.us' THEN (SELECT p.request::json ->> 'from' = $2 FROM payloads p WHERE p.seq = chunk.seq) END
     )
     SELECT s.looked, s.last, to_json(mine) AS row
     FROM (SELECT count(*) AS looked, max(seq) AS last FROM chunk) s LEFT JOIN mine ON true ORDER BY mine.seq`,
    ...[after, number],
  );
  const { looked = 0, last = null } = found[0] ?? {};
  return { rows: found.flatMap(({ row }) => row ?? []), next: looked === CHUNK ? last : null };
}

/** Adds a message to what was found. */
export function add({ state, discarded_at, files, commands }: MessageOf, found: Found): void {
  const count = (...states: string[]) => commands.filter((command) => states.includes(command.state)).length;
  found.messages += 1;
  if (state === "pending") found.waiting += 1;
  if (state === "dead" && discarded_at === null) found.dead += 1;
  found.replies_waiting += count("pending");
  found.replies_in_doubt += count("in_doubt");
  found.replies_being_sent += count("sending", "queued_by_gateway");
  found.files += files;
}

/** From 0 to 1. */
export async function progressAt(db: Queries, next: number | null): Promise<number> {
  if (next === null) return 1;
  const [row] = await db.rows<{ seq: number | null }>("SELECT max(seq) AS seq FROM messages");
  return Math.min(1, next / Math.max(1, row?.seq ?? 1));
}

/** Counts what there is of a customer for a second, from behind the message `after` on, and changes nothing. */
export async function search(db: Queries, clock: Clock, number: string, after: number): Promise<SearchStep> {
  const began = clock.uptimeMs();
  const found = { ...NOTHING };
  let next: number | null = after;
  while (next !== null && clock.uptimeMs() - began < STEP_MS) {
    const chunk = await chunkAfter(db, number, next);
    for (const row of chunk.rows) add(row, found);
    next = chunk.next;
  }
  return { found, next, progress: await progressAt(db, next) };
}
