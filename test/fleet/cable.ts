import { chmodSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { socketFolder } from "./server.ts";

const SOCKET = ".s.PGSQL.5432";

/** A connection's way to the server that can be cut: nothing passes then, and neither end is told. */
export interface Cable extends AsyncDisposable {
  /** The folder of its socket. */
  host: string;
  /** In both directions. What was sent meanwhile arrives when it is mended, as on a network that was only slow. */
  cut(): void;
  mend(): void;
  /** Ends all connections, at both ends; new ones can be made. */
  break(): void;
  /** Breaks it, and lays it to another server, as a virtual address is moved, or a pooler told. */
  move(to: string): void;
}

export async function layCable(to: string): Promise<Cable> {
  const folder = socketFolder();
  const sockets = new Set<Socket>();
  let isCut = false;
  let end = to;
  const server = createServer((client) => {
    const upstream = createConnection(join(end, SOCKET));
    for (const [from, into] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("data", (bytes) => into.write(bytes));
      from.on("error", () => into.destroy());
      from.on("close", () => {
        sockets.delete(from);
        into.destroy();
      });
      if (isCut) from.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(join(folder.path, SOCKET), resolve));
  // A replica comes through it, too, which is never root.
  chmodSync(folder.path, 0o711);
  chmodSync(join(folder.path, SOCKET), 0o777);
  return {
    host: folder.path,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    break() {
      for (const socket of sockets) socket.destroy();
    },
    move(other) {
      end = other;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      folder[Symbol.dispose]();
    },
  };
}
