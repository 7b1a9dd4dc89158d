import type { OutboxAnswer, OutboxCommand } from "@hotbags/contract";
import type { Pool } from "pg";
import { refusalFor, refuse, type Secrets } from "./allowed.ts";

/** A command without its id, which it gets where it is stored. */
export type Sending = OutboxCommand extends infer One
  ? One extends OutboxCommand
    ? Omit<One, "command_id">
    : never
  : never;

export interface Outbox extends Secrets {
  pool: Pick<Pool, "query">;
}

/** Commands in one answer: the bridge takes no more. */
const MAX_COMMANDS = 100;

/** It is waited no longer than this, s: less than `maxDuration` of the route, which Vercel ends with a 504. */
const MAX_WAIT_SECONDS = 40;

/** How often the table is looked at, ms. Supabase's transaction pooler has no LISTEN. */
const LOOK_MS = 1_000;

/** Has the bridge send this; in your own transaction, if `db` is in one. Resolves with the id by which reports name it. */
export async function send(db: Outbox["pool"], command: Sending): Promise<string> {
  const { rows } = await db.query<{ command_id: string }>(
    "insert into whatsapp_outbox (command) values ($1) returning command_id",
    [JSON.stringify(command)],
  );
  const [row] = rows;
  if (!row) throw new Error("the command was not stored");
  return row.command_id;
}

/** Answers one question of the bridge: at once if there is something behind its cursor, else when there is, or with 204. */
export async function answerPoll(request: Request, { pool, ...secrets }: Outbox): Promise<Response> {
  const { refusal } = await refusalFor(request, async () => new Uint8Array(), secrets);
  if (refusal) return refusal;
  const query = new URL(request.url).searchParams;
  const [after, wait] = [query.get("after") ?? "", query.get("wait") ?? ""];
  if (!/^(0|[1-9]\d{0,18})$/.test(after) || !/^\d{1,3}$/.test(wait)) return refuse(422, "after and wait are numbers");
  const deadline = Date.now() + Math.min(Number(wait), MAX_WAIT_SECONDS) * 1_000;
  for (;;) {
    const answer = await read(pool, after);
    if (answer) return Response.json(answer);
    const left = deadline - Date.now();
    // The bridge has gone: it asks again.
    if (left <= 0 || request.signal.aborted) return new Response(null, { status: 204 });
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, left)));
  }
}

/** Nothing is deleted here: after a crash the bridge asks once more for what it had not written down. */
async function read(pool: Outbox["pool"], after: string): Promise<OutboxAnswer | null> {
  const { rows } = await pool.query<{ position: string; command_id: string; command: Sending }>(
    `select position, command_id, command from whatsapp_outbox where position > $1 order by position limit ${MAX_COMMANDS}`,
    [after],
  );
  const cursor = rows.at(-1)?.position;
  if (cursor === undefined) return null;
  return { cursor, commands: rows.map(({ command_id, command }) => ({ command_id, ...command }) as OutboxCommand) };
}
