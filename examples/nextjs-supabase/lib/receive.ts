import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { type Answer, type InboundRequest, verifySignature, verifyWebhook } from "@hotbags/contract";
import type { Pool, PoolClient } from "pg";
import type { Decision } from "./decide.ts";

export interface Backend {
  pool: Pool;
  /** HOTBAGS_BEARER_TOKEN. */
  token: string;
  /** HOTBAGS_HMAC_SECRET; null: requests are not signed. */
  hmacSecret: string | null;
  /** HOTBAGS_WEBHOOK_SECRET; null: requests are not signed as Standard Webhooks does. */
  webhookSecret: string | null;
  decide(message: InboundRequest): Promise<Decision[]>;
}

/** Another request with the same key is worked on for this long already: the bridge is told to ask again. */
const LOCK_TIMEOUT = "20s";

/** What Postgres says when LOCK_TIMEOUT is over. */
const LOCK_NOT_AVAILABLE = "55P03";

/** Answers one message of the bridge. What it throws is a 500 of Next.js, after which the bridge tries again. */
export async function receive(request: Request, backend: Backend): Promise<Response> {
  const body = await letIn(request, backend);
  if (body instanceof Response) return body;
  const message = read(body);
  if (!message || message.message_id !== request.headers.get("idempotency-key")) return refuse(422, "no message");
  const client = await backend.pool.connect();
  try {
    return await answerOnce(client, message, backend.decide);
  } finally {
    client.release();
  }
}

/** Answers a HEAD, which asks whether the bridge would be let in: 204, or 401 as a message would get it. */
export async function ping(request: Request, backend: Backend): Promise<Response> {
  const body = await letIn(request, backend);
  return body instanceof Response ? body : new Response(null, { status: 204 });
}

/** The body of a request that is the bridge's, or the answer to any other. */
async function letIn(request: Request, { token, hmacSecret, webhookSecret }: Backend): Promise<Uint8Array | Response> {
  if (!isEqual(request.headers.get("authorization") ?? "", `Bearer ${token}`)) return refuse(401, "wrong token");
  // The bytes as they came: the signature is theirs, and JSON.parse keeps no blank.
  const body = new Uint8Array(await request.arrayBuffer());
  const signature = request.headers.get("x-hotbags-signature");
  if (hmacSecret !== null && !(await verifySignature(body, signature, hmacSecret)))
    return refuse(401, "wrong signature");
  // Its time as well: what somebody has recorded is of no use later.
  if (webhookSecret !== null && !(await verifyWebhook(body, request.headers, webhookSecret)))
    return refuse(401, "wrong or old webhook-signature");
  return body;
}

/** The key, the message and its answer are stored together or not at all. */
async function answerOnce(client: PoolClient, message: InboundRequest, decide: Backend["decide"]): Promise<Response> {
  const content = contentOf(message);
  const hash = createHash("sha256").update(content).digest("hex");
  await client.query("begin");
  try {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    // Where another request has begun with this key, the unique index makes this one wait for its end.
    const { rowCount } = await client.query(
      "insert into whatsapp_inbound (message_id, content_sha256, chat_id, request) values ($1, $2, $3, $4) on conflict do nothing",
      [message.message_id, hash, message.chat_id, content],
    );
    const answer =
      rowCount === 1 ? await decideAndStore(client, message, decide) : await readAnswer(client, message, hash);
    await client.query("commit");
    return answer === null ? refuse(422, "this key came with another message") : Response.json(answer);
  } catch (error) {
    await client.query("rollback");
    if (error instanceof Error && "code" in error && error.code === LOCK_NOT_AVAILABLE)
      return refuse(409, "the first request with this key still runs");
    throw error;
  }
}

async function decideAndStore(client: PoolClient, message: InboundRequest, decide: Backend["decide"]): Promise<Answer> {
  // The ids are made here and stored: each retry gets the same, and the bridge does nothing twice.
  const commands = (await decide(message)).map((decision) => ({ command_id: randomUUID(), ...decision }));
  const answer: Answer = { commands };
  // As it was stored: jsonb has an order of its own, and every request of a key gets the same bytes.
  const { rows } = await client.query<{ answer: Answer }>(
    "update whatsapp_inbound set answer = $2 where message_id = $1 returning answer",
    [message.message_id, JSON.stringify(answer)],
  );
  return rows[0]?.answer ?? answer;
}

/** Null: the key belongs to another message. */
async function readAnswer(client: PoolClient, { message_id }: InboundRequest, hash: string): Promise<Answer | null> {
  const { rows } = await client.query<{ content_sha256: string; answer: Answer }>(
    "select content_sha256, answer from whatsapp_inbound where message_id = $1",
    [message_id],
  );
  const [known] = rows;
  if (!known) throw new Error("the row of a known key is gone");
  return known.content_sha256 === hash ? known.answer : null;
}

/** The message without its files' bytes. They belong into a bucket of Supabase Storage, if you need them. */
function contentOf(message: InboundRequest): string {
  const media = message.media.map(({ data_base64: _, omitted: __, ...described }) => described);
  return JSON.stringify({ ...message, media });
}

function read(body: Uint8Array): InboundRequest | undefined {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    const isMessage = typeof value?.message_id === "string" && typeof value.chat_id === "string";
    return isMessage && typeof value.text === "string" && Array.isArray(value.media) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** In constant time: digests have one length, as timingSafeEqual asks for. */
function isEqual(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
