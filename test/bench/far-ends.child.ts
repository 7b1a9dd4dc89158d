// Hot Bags and the gateway of the bench, in a process of their own. They answer at once, with the least work that is possible, and note
// what came and when. The bench asks by IPC.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import type { Arrival, Ask, Told } from "./far-ends.ts";

const REPLY = "Yes, we have it in red too, in all three sizes. Shall we put one aside for you until Saturday?";

let [posts, sends]: [Arrival[], Arrival[]] = [[], []];
let isDown = false;
let wanted = Number.POSITIVE_INFINITY;
const tell = (told: Told) => void process.send?.(told);
const now = () => Number(process.hrtime.bigint()) / 1e6;

const hotbags = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    if (isDown) return void response.writeHead(503, { "content-length": 0 }).end();
    const { message_id: id } = JSON.parse(Buffer.concat(chunks).toString());
    posts.push([id, now()]);
    const body = JSON.stringify({ commands: [{ command_id: `re:${id}`, type: "send_text", text: REPLY }] });
    response
      .writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      .end(body);
  });
});
// The prototype does not try again: no connection is to end while it is about to use it.
hotbags.keepAliveTimeout = 0;
hotbags.listen(0, "127.0.0.1");

const gateway = new ScriptedGateway();
gateway.accounts = process.argv.slice(2).map((accountId) => ({ ...CONNECTED, accountId }));
gateway.send = ({ idempotencyKey }) => {
  const id = idempotencyKey.slice("re:".length);
  sends.push([id, now()]);
  if (sends.length === wanted) tell({ type: "sent" });
  return { ok: true, payload: { runId: id, messageId: `WA-${id}`, channel: "whatsapp" } };
};
await gateway.start();

process.on("message", (asked: Ask) => {
  if (asked.type === "down") isDown = asked.isDown;
  if (asked.type === "await") {
    wanted = asked.sends;
    if (sends.length >= wanted) tell({ type: "sent" });
  }
  if (asked.type === "collect") {
    tell({ type: "collected", posts, sends });
    [posts, sends] = [[], []];
    gateway.asked.length = 0;
    wanted = Number.POSITIVE_INFINITY;
  }
});
process.on("disconnect", () => process.exit());
tell({
  type: "ready",
  hotbags: `http://127.0.0.1:${(hotbags.address() as AddressInfo).port}`,
  gateway: `ws://127.0.0.1:${gateway.port}`,
});
