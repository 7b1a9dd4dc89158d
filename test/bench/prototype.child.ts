// What the sidecar is measured against: the same way with the same promises to the disk, in straight lines, and nothing else. No checks,
// retries, limits, log, metrics or operator. It shows what the work itself takes on this machine; nobody should run a shop with it.
import { createServer } from "node:http";
import { Pool } from "undici";
import WebSocket, { WebSocketServer } from "ws";
import { INBOUND_PATH, type InboundMessage, MAX_CREDIT } from "../../shared/src/index.ts";
import { openWriter, type Step } from "./prototype-writer.ts";

const { BENCH_COMMIT, BRIDGE_LISTEN, BRIDGE_STATE_DIR, HOTBAGS_BASE_URL, HOTBAGS_BEARER_TOKEN } = process.env;
const { OPENCLAW_GATEWAY_TOKEN, OPENCLAW_GATEWAY_URL } = process.env;

const write = openWriter(`${BRIDGE_STATE_DIR}/prototype.sqlite`, BENCH_COMMIT === "thread" ? "own" : "this");
let waiting: { steps: Step[]; resolve: (ids: number[]) => void }[] = [];

/** `step`: one transaction for each; else all writes of one turn of the event loop in one. Resolves once they are on disk. */
function commit(...steps: Step[]): Promise<number[]> {
  return new Promise((resolve) => {
    if (waiting.length === 0 && BENCH_COMMIT !== "step") setImmediate(writeAll);
    waiting.push({ steps, resolve });
    if (BENCH_COMMIT === "step") writeAll();
  });
}

function writeAll(): void {
  const jobs = waiting;
  waiting = [];
  const steps = jobs.map((job) => job.steps);
  write(steps, (ids) => {
    for (const [n, { resolve }] of jobs.entries()) resolve(ids[n] ?? []);
  });
}

/** What is to be done in a chat, one after the other: its messages in `posts`, its commands in `replies`. */
class Lanes<Item> {
  readonly #lanes = new Map<string, Item[]>();
  readonly #work: (item: Item) => Promise<void>;
  constructor(work: (item: Item) => Promise<void>) {
    this.#work = work;
  }
  add(chat: string, item: Item): void {
    const lane = this.#lanes.get(chat);
    if (lane) return void lane.push(item);
    this.#lanes.set(chat, [item]);
    void this.#run(chat);
  }
  async #run(chat: string): Promise<void> {
    const lane = this.#lanes.get(chat) ?? [];
    for (let item = lane[0]; item !== undefined; item = lane[0]) {
      await this.#work(item);
      lane.shift();
    }
    this.#lanes.delete(chat);
  }
}

type Command = { id: number; commandId: string; chat: string; accountId: string; text: string };
const pool = new Pool(String(HOTBAGS_BASE_URL), { connections: 64 });

const posts = new Lanes<{ seq: number; message: InboundMessage; request: string }>(
  async ({ seq, message, request }) => {
    const { body } = await pool.request({
      method: "POST",
      path: INBOUND_PATH,
      headers: {
        authorization: `Bearer ${HOTBAGS_BEARER_TOKEN}`,
        "content-type": "application/json",
        "idempotency-key": message.message_id,
      },
      body: request,
    });
    const response = await body.text();
    const { commands } = JSON.parse(response) as { commands: { command_id: string; text: string }[] };
    const written = commands.map(({ command_id, text }): Step => ["command", command_id, seq, text]);
    const [, ...ids] = await commit(["deliver", response, seq], ...written);
    const { chat_id: chat, account_id: accountId } = message;
    for (const [n, { command_id: commandId, text }] of commands.entries())
      replies.add(chat, { id: ids[n] ?? 0, commandId, chat, accountId, text });
  },
);

const replies = new Lanes<Command>(async ({ id, commandId, chat, accountId, text }) => {
  await commit(["sending", id]);
  const params = { channel: "whatsapp", accountId, to: chat, message: text, idempotencyKey: commandId };
  const { messageId } = await ask<{ messageId: string }>("send", params);
  await commit(["sent", messageId, id]);
});

const gateway = new WebSocket(String(OPENCLAW_GATEWAY_URL));
const asked = new Map<string, (payload: unknown) => void>();
let asks = 0;
function ask<T>(method: string, params: object): Promise<T> {
  const id = String(asks++);
  gateway.send(JSON.stringify({ type: "req", id, method, params }));
  return new Promise((resolve) => asked.set(id, resolve as (payload: unknown) => void));
}
gateway.on("message", async (data) => {
  const frame = JSON.parse(String(data));
  if (frame.type === "res") {
    asked.get(frame.id)?.(frame.payload);
    asked.delete(frame.id);
  } else if (frame.event === "connect.challenge") {
    await ask("connect", { auth: { token: OPENCLAW_GATEWAY_TOKEN } });
    listen();
  }
});

async function take(socket: WebSocket, ref: number, message: InboundMessage): Promise<void> {
  const request = JSON.stringify(message);
  const [seq = 0] = await commit(["insert", message.message_id, message.chat_id, request]);
  socket.send(JSON.stringify({ v: 1, type: "ack", ref, duplicate: false }));
  posts.add(message.chat_id, { seq, message, request });
}

function listen(): void {
  const server = createServer();
  const plugins = new WebSocketServer({ server, perMessageDeflate: false });
  plugins.on("connection", (socket) => {
    socket.on("message", (data) => {
      const { type, ref, message } = JSON.parse(String(data));
      if (type === "message") void take(socket, ref, message);
      else if (type === "hello")
        socket.send(
          JSON.stringify({ v: 1, type: "welcome", sidecar_version: "0", credit: MAX_CREDIT, max_frame_bytes: 1e6 }),
        );
    });
  });
  server.listen(String(BRIDGE_LISTEN).slice("unix:".length));
}
