// The backend, and the relays between the gateway and the sidecar. The bench asks by IPC, and is told of what is seen.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Ask, Backend, Point, Told } from "./between.ts";
import { now } from "./plugin.ts";
import { startWsRelay } from "./ws-relay.ts";

const tell = (told: Told) => void process.send?.(told);
const see = (point: Point, id: string, at: number) => tell({ type: "seen", point, id, at });

let backend: Backend = { delayMs: 0, replies: false };

/** One for ours and for the usual plugin: both name the message, and take commands for it. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const posted = now();
  const { message_id: id } = (await json(request)) as { message_id: string };
  // Telling it takes a while, which nobody is to wait for.
  setImmediate(() => see("posted", id, posted));
  const { delayMs, replies } = backend;
  if (delayMs > 0) await sleep(delayMs);
  const answered = now();
  const text = `Yes, we have it in red too, in all three sizes. Your message was ${id}`;
  const body = JSON.stringify({ commands: replies ? [{ command_id: `re:${id}`, type: "send_text", text }] : [] });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
  see("answered", id, answered);
}

// Nobody waits for the answer to a request that a restart of the gateway has cut.
const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

/** The plugin's link: its messages. */
const link = await startWsRelay((from, text, at) => {
  if (from === "server") return;
  const frame = JSON.parse(text);
  if (frame.type === "message") see("linked", frame.message.message_id, at);
});

/** The sidecar's connection to the gateway: each `send`, and its answer. */
const asked = new Map<string, string>();
const gateway = await startWsRelay((from, text, at) => {
  const frame = JSON.parse(text);
  if (from === "client" && frame.method === "send") {
    const id = String(frame.params.idempotencyKey).slice("re:".length);
    asked.set(frame.id, id);
    see("sent", id, at);
  }
  const answered = from === "server" && frame.type === "res" ? asked.get(frame.id) : undefined;
  if (answered === undefined) return;
  asked.delete(frame.id);
  see("taken", answered, at);
});

process.on("message", (ask: Ask) => {
  if (ask.type === "lead") {
    link.target = ask.targets.link;
    gateway.target = ask.targets.gateway;
    return;
  }
  backend = ask.backend;
  tell({ type: "answering" });
});
process.on("disconnect", () => process.exit());
tell({
  type: "ready",
  backend: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  link: `ws://127.0.0.1:${link.port}`,
  gateway: `ws://127.0.0.1:${gateway.port}`,
});
