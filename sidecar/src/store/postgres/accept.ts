import { type InboundMessage, storableText } from "@hotbags/shared";
import { FileMissingError } from "../errors.ts";
import type { LaidOut } from "../lay-out.ts";
import type { Accepted } from "../messages.ts";
import { CollisionError } from "./faults.ts";
import { countOnKept } from "./kept-files.ts";
import { FencedOffError } from "./lease.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** A message as it comes in; `laidOut`: undefined where a file is not here. */
export interface Incoming {
  message: InboundMessage;
  laidOut: LaidOut | undefined;
}

/** A message under an id, and where it was written. */
interface IdUser {
  n: number;
  seq: number;
  chat: number;
  chat_id: string;
}

/** What is known of a message before it is taken in. */
interface Known {
  /** Of its chat; null: nobody has written there yet. */
  chat: number | null;
  /** Messages with its id, also of those who were forgotten. */
  users: IdUser[];
}

interface Fresh {
  n: number;
  incoming: Incoming;
  laidOut: LaidOut;
  chat: number;
  refusal: string | null;
}

const OTHER_CHAT = "its message_id was already used in another chat";

/** Files that go along with their message. */
const filesOf = ({ files }: LaidOut) => files.flatMap(({ sha256, place }) => (place === null ? [] : [sha256]));

/** See Messages.accept. `lacksFile`: whether a file that the message counts on is not here any more. */
export function acceptVerb(lacksFile: (message: InboundMessage) => boolean): Verb<Incoming, Accepted> {
  return {
    name: "accept",
    keyOf: ({ message }) => `message_id ${message.message_id}`,
    async write(writing, inputs) {
      refuse(inputs, ({ message }) =>
        writing.owns(message.account_id) ? undefined : new FencedOffError(message.account_id),
      );
      const known = await readKnown(writing, inputs);
      const same = await findSame(writing, inputs, known);
      // Looked up again: a file that only delivered messages had can have been given up since.
      refuse(inputs, (input) =>
        !same.has(input) && (!input.laidOut || lacksFile(input.message))
          ? new FileMissingError("a file of the message is not here")
          : undefined,
      );
      // Whoever owns the account by then must be able to send them along.
      const laidOut = inputs.flatMap((input) => (same.has(input) || !input.laidOut ? [] : filesOf(input.laidOut)));
      const kept = await countOnKept(writing, [...new Set(laidOut)]);
      refuse(inputs, (input) =>
        !same.has(input) && input.laidOut && filesOf(input.laidOut).some((file) => !kept.has(file))
          ? new FileMissingError("a file of the message is not in the database")
          : undefined,
      );
      const fresh = inputs.flatMap((incoming, n): Omit<Fresh, "chat">[] => {
        if (same.has(incoming) || !incoming.laidOut) return [];
        const refusal = (known[n]?.users.length ?? 0) > 0 ? OTHER_CHAT : null;
        return [{ n, incoming, laidOut: incoming.laidOut, refusal }];
      });
      const chats = await makeChats(writing, fresh, known);
      const taken = await insert(
        writing,
        fresh.map((one) => ({ ...one, chat: chats.get(one.n) ?? 0 })),
      );
      return inputs.map((input, n) => same.get(input) ?? taken.get(n) ?? missing());
    },
  };
}

/** Each is either known or taken in. */
function missing(): never {
  throw new Error("a message was neither known nor taken in");
}

async function readKnown(writing: Writing, inputs: readonly Incoming[]): Promise<Known[]> {
  const messages = inputs.map(({ message }) => message);
  const rows = await writing.rows<{ n: number; of_chat: number | null } & (IdUser | { [K in keyof IdUser]: null })>(
    `SELECT g.n, c.chat AS of_chat, m.seq, m.chat, u.chat_id
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS g (account_id, chat_id, id, forgotten, n)
     LEFT JOIN chats c USING (account_id, chat_id)
     LEFT JOIN messages m ON m.message_id = ANY (ARRAY[g.id, g.forgotten])
     LEFT JOIN chats u ON u.chat = m.chat ORDER BY g.n, m.seq`,
    messages.map(({ account_id }) => account_id),
    messages.map(({ chat_id }) => chat_id),
    messages.map(({ message_id }) => message_id),
    messages.map(({ message_id }) => writing.forgotten(message_id)),
  );
  const known: Known[] = inputs.map(() => ({ chat: null, users: [] }));
  for (const row of rows) {
    const one = known[row.n - 1];
    if (!one) continue;
    one.chat = row.of_chat;
    if (row.seq !== null) one.users.push(row);
  }
  return known;
}

/** The row of each message that is known: in its own chat, or as the same message in another account's. */
async function findSame(
  writing: Writing,
  inputs: readonly Incoming[],
  known: readonly Known[],
): Promise<Map<Incoming, Accepted>> {
  const same = new Map<Incoming, Accepted>();
  for (const [n, input] of inputs.entries()) {
    const { chat, users } = known[n] ?? { chat: null, users: [] };
    const user = users.find((row) => row.chat === chat) ?? (await findCopy(writing, input.message, users));
    if (user) same.set(input, { seq: user.seq, chat: user.chat, duplicate: true, refusal: null });
  }
  return same;
}

/** Two accounts in one group get the same message under the same id. Where its text is forgotten already, the id is all there is. */
async function findCopy(writing: Writing, message: InboundMessage, users: readonly IdUser[]) {
  const forgotten = writing.forgotten(message.chat_id);
  for (const user of users) {
    const isOfChat =
      user.chat_id === storableText(message.chat_id) ||
      (forgotten !== null && user.chat_id.startsWith(`${forgotten}:`));
    if (!isOfChat) continue;
    const [row] = await writing.rows<{ request: string }>("SELECT request FROM payloads WHERE seq = $1", user.seq);
    if (!row) return user;
    const { from, text } = JSON.parse(row.request) as Pick<InboundMessage, "from" | "text">;
    if (from === message.from && storableText(text) === storableText(message.text)) return user;
  }
  return undefined;
}

/**
 * The chat of each message that is to be taken in, by its place. One is made only for these: a message that comes again
 * must not bring back the number of one who was forgotten.
 */
async function makeChats(
  writing: Writing,
  fresh: readonly Omit<Fresh, "chat">[],
  known: readonly Known[],
): Promise<Map<number, number>> {
  const chats = new Map(fresh.flatMap(({ n }) => (known[n]?.chat == null ? [] : [[n, known[n].chat] as const])));
  const without = fresh.filter(({ n }) => !chats.has(n)).map(({ n, incoming: { message } }) => ({ n, message }));
  if (without.length === 0) return chats;
  const made = await writing.rows<{ n: number; chat: number }>(
    // A pause may have made it at this moment.
    `WITH given AS (
       SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS g (account_id, chat_id, n)
     ), made AS (
       INSERT INTO chats (account_id, chat_id) SELECT account_id, chat_id FROM given GROUP BY 1, 2 ORDER BY min(n)
       ON CONFLICT (account_id, chat_id) DO UPDATE SET chat_id = excluded.chat_id RETURNING chat, account_id, chat_id
     )
     SELECT n, chat FROM given JOIN made USING (account_id, chat_id)`,
    without.map(({ message }) => message.account_id),
    without.map(({ message }) => message.chat_id),
    without.map(({ n }) => n),
  );
  for (const { n, chat } of made) chats.set(n, chat);
  return chats;
}

async function insert(writing: Writing, fresh: readonly Fresh[]): Promise<Map<number, Accepted>> {
  const taken = new Map<number, Accepted>();
  if (fresh.length === 0) return taken;
  const { now } = writing;
  const files = fresh.flatMap(({ n, laidOut }) => laidOut.files.map((file) => ({ n, ...file })));
  const rows = await writing.rows<{ n: number; seq: number }>(
    `WITH given AS (
       SELECT * FROM unnest($1::int[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::double precision[])
         AS g (n, account_id, chat, message_id, refusal, request, written_at)
     ), taken AS (
       INSERT INTO messages (account_id, chat, message_id, owns_id, state, received_at, settled_at, last_error, state_since, maybe_answered)
       SELECT account_id, chat, message_id, refusal IS NULL, CASE WHEN refusal IS NULL THEN 'pending' ELSE 'dead' END, $8::bigint,
         CASE WHEN refusal IS NOT NULL THEN $8::bigint END, refusal, $9::bigint,
         coalesce(written_at <= (SELECT max(lost_until) FROM restores), false)
       FROM given ORDER BY n ON CONFLICT DO NOTHING RETURNING seq, message_id
     ), paid AS (
       INSERT INTO payloads (seq, request) SELECT seq, request FROM taken JOIN given USING (message_id)
     ), filed AS (
       INSERT INTO media (seq, position, sha256, size_bytes, place)
       SELECT seq, position, sha256, size_bytes, place
       FROM unnest($10::int[], $11::int[], $12::text[], $13::bigint[], $14::bigint[]) AS f (n, position, sha256, size_bytes, place)
       JOIN given USING (n) JOIN taken USING (message_id)
     )
     SELECT n, seq FROM taken JOIN given USING (message_id)`,
    fresh.map(({ n }) => n),
    fresh.map(({ incoming }) => incoming.message.account_id),
    fresh.map(({ chat }) => chat),
    fresh.map(({ incoming }) => incoming.message.message_id),
    fresh.map(({ refusal }) => refusal),
    fresh.map(({ laidOut }) => laidOut.request),
    fresh.map(({ incoming }) => writtenAt(incoming.message)),
    ...[now, writing.provenNow],
    files.map(({ n }) => n),
    files.map(({ position }) => position),
    files.map(({ sha256 }) => sha256),
    files.map(({ size_bytes }) => size_bytes),
    files.map(({ place }) => place),
  );
  // Another account's sidecar has taken in the same id at this moment: it is known the next time that we look.
  if (rows.length !== fresh.length) throw new CollisionError("another sidecar has taken in the same message");
  const seqs = new Map(rows.map(({ n, seq }) => [n, seq]));
  for (const { n, chat, refusal, incoming } of fresh) {
    const { account_id, chat_id, message_id } = incoming.message;
    const seq = seqs.get(n) ?? 0;
    const state = refusal === null ? "pending" : "dead";
    writing.count(account_id, "accepted", 1);
    writing.count(account_id, state, 1);
    if (refusal !== null) writing.failed(account_id, "dead", message_id, refusal);
    const change = { seq, account_id, chat_id, message_id, outbound: null };
    writing.messageChanged(change, refusal === null ? "accepted" : "dead", refusal);
    taken.set(n, { seq, chat, duplicate: false, refusal });
  }
  return taken;
}

function writtenAt({ timestamp }: InboundMessage): number | null {
  const at = Date.parse(timestamp);
  return Number.isNaN(at) ? null : at;
}
