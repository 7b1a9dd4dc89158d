// One sidecar's database work, as fast as it goes: messages in, delivered with a reply each, replies sent. Hot Bags and the
// gateway answer at once and are not there.
import type { Job, PgBoss } from "pg-boss";
import type { Lease } from "../../sidecar/src/store/postgres/lease.ts";
import { NO_LIMIT, startBoss, within } from "./boss.ts";
import * as queue from "./own-queue.ts";
import { poolOf } from "./server.ts";
import { transaction } from "./transaction.ts";

const [host = "", engine = "", name = "", count = "0", batch = "1"] = process.argv.slice(2);
const CHATS = 200;
/** Of a text message with what OpenClaw says of it, bytes. */
const REQUEST_BYTES = 1_200;
const CONNECTIONS = 4;

const pool = poolOf(host, CONNECTIONS);
const size = Number(batch);
const lease = await leaseOf(name);
const boss = engine === "pg-boss" ? await queuesOf(name) : undefined;
let made = 0;
/** The sidecar knows them by heart; here they are asked for once. */
const chats = new Map<string, string>();

await pass(Math.min(1_000, 10 * size));
process.send?.("ready");
await told();
const begun = { at: performance.now(), cpu: process.cpuUsage() };
await pass(Number(count));
const { user, system } = process.cpuUsage(begun.cpu);
process.send?.({ cpuUs: user + system, ms: performance.now() - begun.at });
await told();
await boss?.stop({ graceful: false });
await pool.end();
process.exit();

async function pass(messages: number): Promise<void> {
  for (let n = 0; n < messages; n += size) await (boss ? turnOfBoss(boss) : turn());
}

/** What one turn of the event loop has gathered goes in one transaction, as in the embedded store. */
async function turn(): Promise<void> {
  const messages = next();
  await transaction(pool, (tx) => queue.accept(tx, lease, messages));
  const waiting = await Promise.all(messages.map(async ({ chat }) => head(await chatOf(chat))));
  await transaction(pool, (tx) => queue.delivered(tx, lease, waiting.map(answerTo)));
  const ids = await Promise.all(waiting.map(({ seq }) => commandOf(seq)));
  await transaction(pool, (tx) => queue.sending(tx, lease, ids));
  await transaction(pool, (tx) => queue.sent(tx, lease, ids));
}

/** The same, each message and each reply a job besides. */
async function turnOfBoss(boss: PgBoss): Promise<void> {
  const messages = next();
  const [inbound, replies] = [`messages-${name}`, `replies-${name}`];
  await transaction(pool, async (tx) => {
    await queue.accept(tx, lease, messages);
    const jobs = messages.map(({ chat, messageId }) => ({ singletonKey: chat, data: { messageId } }));
    await boss.insert(inbound, jobs, { db: within(tx) });
  });
  const taken = await boss.fetch<{ messageId: string }>(inbound, { batchSize: size });
  const waiting = await Promise.all(taken.map(messageOf));
  await transaction(pool, async (tx) => {
    await queue.delivered(tx, lease, waiting.map(answerTo));
    await boss.complete(inbound, taken, null, { db: within(tx) });
    const jobs = waiting.map(({ seq }) => ({ singletonKey: seq, data: { seq } }));
    await boss.insert(replies, jobs, { db: within(tx) });
  });
  const orders = await boss.fetch<{ seq: string }>(replies, { batchSize: size });
  const ids = await Promise.all(orders.map(({ data }) => commandOf(data.seq)));
  await transaction(pool, (tx) => queue.sending(tx, lease, ids));
  await transaction(pool, async (tx) => {
    await queue.sent(tx, lease, ids);
    await boss.complete(replies, orders, null, { db: within(tx) });
  });
}

function next(): queue.NewMessage[] {
  return Array.from({ length: size }, () => {
    const n = made++;
    const text = `${n} `.repeat(REQUEST_BYTES).slice(0, REQUEST_BYTES);
    return { chat: `+1555${n % CHATS}`, messageId: `${name}.${n}`, request: Buffer.from(text) };
  });
}

function answerTo({ seq }: { seq: string }): queue.Answer {
  return { seq, commands: [{ commandId: `re:${seq}`, text: "Yes, in red too." }] };
}

async function head(chat: string): Promise<queue.Waiting> {
  const found = await queue.headOf(pool, chat);
  if (!found) throw new Error(`nothing waits in ${chat}`);
  return found;
}

async function chatOf(chatId: string): Promise<string> {
  const known = chats.get(chatId);
  if (known) return known;
  const { rows } = await pool.query("SELECT chat FROM chats WHERE account_id = $1 AND chat_id = $2", [name, chatId]);
  chats.set(chatId, rows[0].chat);
  return rows[0].chat;
}

async function messageOf({ data }: Job<{ messageId: string }>): Promise<queue.Waiting> {
  const { rows } = await pool.query(
    "SELECT seq, request, attempts FROM messages JOIN payloads USING (seq) WHERE message_id = $1",
    [data.messageId],
  );
  return rows[0];
}

async function commandOf(seq: string): Promise<string> {
  const { rows } = await pool.query("SELECT id, text FROM commands WHERE command_id = $1", [`re:${seq}`]);
  return rows[0].id;
}

async function leaseOf(account: string): Promise<Lease> {
  const made = "INSERT INTO leases (account_id, owner, token, expires_at) VALUES ($1, $1, 1, 'infinity')";
  await pool.query(made, [account]);
  return { account, token: 1 };
}

async function queuesOf(account: string): Promise<PgBoss> {
  const started = await startBoss(pool);
  for (const what of ["messages", "replies"])
    await started.createQueue(`${what}-${account}`, { policy: "key_strict_fifo", retryLimit: NO_LIMIT });
  return started;
}

function told(): Promise<unknown> {
  return new Promise((resolve) => process.once("message", resolve));
}
