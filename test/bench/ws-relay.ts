import { once } from "node:events";
import { createServer } from "node:http";
import WebSocket, { type RawData, WebSocketServer } from "ws";
import { now } from "./plugin.ts";

/** A WebSocket between two processes, in the clear: each message is seen, and goes on at once. */
export interface WsRelay {
  readonly port: number;
  /** Where it leads, `ws://host:port`; refused until it is set. */
  target: string;
  close(): Promise<void>;
}

/**
 * Sees a message that has gone on, which must not wait for that. `from`: the one who has connected, or the one who was connected to.
 * `at`: when it came, ms of the machine's monotonic clock.
 */
export type Seen = (from: "client" | "server", data: RawData, at: number) => void;

/** Headers that are of one connection alone. */
const HOP_BY_HOP = /^(host|connection|upgrade|sec-websocket-.*)$/;
const PLAIN = { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 };

/** On a free port of this machine. Whoever connects is connected to the target first, so that its refusal is one here, too. */
export async function startWsRelay(seen: Seen): Promise<WsRelay> {
  const http = createServer((_, response) => response.writeHead(426).end());
  const sockets = new WebSocketServer({ noServer: true, ...PLAIN });
  const relay = { port: 0, target: "" };
  http.on("upgrade", (request, socket, head) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.test(name)));
    const server = new WebSocket(`${relay.target}${request.url}`, { ...PLAIN, headers } as WebSocket.ClientOptions);
    const refused = () => socket.destroy();
    server.once("error", refused);
    // Within the very event: what the server says first can be in the same packet, and nobody would hear it a moment later.
    server.once("open", () => {
      server.off("error", refused);
      sockets.handleUpgrade(request, socket, head, (client) => {
        join(client, server, (data, at) => seen("client", data, at));
        join(server, client, (data, at) => seen("server", data, at));
      });
    });
  });

  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("no port to relay on");
  return Object.assign(relay, {
    port: address.port,
    async close() {
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  });
}

/** What one says goes to the other, its end as well. */
function join(from: WebSocket, to: WebSocket, seen: (data: RawData, at: number) => void): void {
  from.on("message", (data, binary) => {
    const at = now();
    to.send(data, { binary });
    seen(data, at);
  });
  from.on("close", (code, reason) => {
    // Codes that only say how a connection was found to be over can't be sent.
    if (code === 1000 || code >= 3000 || (code > 1006 && code < 1015)) to.close(code, reason);
    else to.terminate();
  });
  from.on("error", () => to.terminate());
}
