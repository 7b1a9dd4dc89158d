import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Writable } from "node:stream";
import * as ws from "ws";
import { now } from "./plugin.ts";

/** Of ws, and not in its types: takes a side's bytes, and gives its messages. */
const { Receiver } = ws as unknown as { Receiver: new (how: { isServer: boolean; maxPayload: number }) => Writable };

/** A WebSocket between two processes, in the clear: its bytes go on at once, as they come, and its messages are seen. */
export interface WsRelay {
  readonly port: number;
  /** Where it leads, `ws://host:port`; refused until it is set. */
  target: string;
  close(): Promise<void>;
}

/**
 * Sees a message that has gone on, which must not wait for that. `from`: the one who has connected, or the one who was connected to.
 * `at`: when its last bytes came, ms of the machine's monotonic clock.
 */
export type Seen = (from: "client" | "server", text: string, at: number) => void;

/** What a side says before its first frame ends so: the handshake. */
const END_OF_HEAD = "\r\n\r\n";

/** On a free port of this machine. */
export async function startWsRelay(seen: Seen): Promise<WsRelay> {
  const open = new Set<Socket>();
  const relay = { port: 0, target: "" };
  const server = createServer((client) => {
    if (relay.target === "") return void client.destroy();
    const { hostname, port } = new URL(relay.target);
    const backend = connect({ host: hostname, port: Number(port) });
    join(
      client,
      backend,
      frames(true, (text, at) => seen("client", text, at)),
    );
    join(
      backend,
      client,
      frames(false, (text, at) => seen("server", text, at)),
    );
    open.add(client);
    client.once("close", () => open.delete(client));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port to relay on");
  return Object.assign(relay, {
    port: address.port,
    async close() {
      for (const client of open) client.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** What one says goes to the other, its end as well. */
function join(from: Socket, to: Socket, look: (bytes: Buffer, at: number) => void): void {
  from.setNoDelay(true);
  from.on("data", (bytes) => {
    const at = now();
    if (!to.write(bytes)) from.pause();
    look(bytes, at);
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroySoon());
}

/** Finds the messages in what one side says. `isMasked`: it is the client. */
function frames(isMasked: boolean, message: (text: string, at: number) => void): (bytes: Buffer, at: number) => void {
  const receiver = new Receiver({ isServer: isMasked, maxPayload: 256 * 1024 * 1024 });
  let [head, at] = ["", 0];
  receiver.on("message", (data: Buffer) => message(String(data), at));
  // No WebSocket, as a file that is brought or a handshake that is refused: it goes on unseen.
  receiver.on("error", () => {});
  let hasBegun = false;
  return (bytes, cameAt) => {
    at = cameAt;
    // A copy: to unmask it, it is written over.
    if (hasBegun) return void receiver.write(Buffer.from(bytes));
    head += bytes.toString("latin1");
    const end = head.indexOf(END_OF_HEAD);
    if (end === -1) return;
    hasBegun = true;
    receiver.write(Buffer.from(head.slice(end + END_OF_HEAD.length), "latin1"));
  };
}
