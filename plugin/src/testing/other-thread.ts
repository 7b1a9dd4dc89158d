import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { WebSocketServer } from "ws";

/** A sidecar in a thread of its own: what it gets can be waited for while this thread stands still, as when OpenClaw keeps it. */
export interface OtherThread {
  url: string;
  /** Stops this thread until the first message is there. False: it was not there after so long, ms. */
  standUntilMessage(timeoutMs: number): boolean;
  close(): Promise<unknown>;
}

interface Shared {
  arrived: Int32Array;
}

export async function sidecarInOtherThread(): Promise<OtherThread> {
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { arrived } satisfies Shared });
  const [port] = await once(worker, "message");
  return {
    url: `ws://127.0.0.1:${port}`,
    standUntilMessage: (timeoutMs) => Atomics.wait(arrived, 0, 0, timeoutMs) !== "timed-out",
    close: () => worker.terminate(),
  };
}

function serve({ arrived }: Shared): void {
  const server: WebSocketServer = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () =>
    parentPort?.postMessage((server.address() as AddressInfo).port),
  );
  server.on("connection", (socket) =>
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data));
      if (frame.type === "hello")
        socket.send(
          JSON.stringify({ v: 1, type: "welcome", sidecar_version: "0.1.0", credit: 8, max_frame_bytes: 1_000_000 }),
        );
      if (frame.type !== "message") return;
      Atomics.store(arrived, 0, 1);
      Atomics.notify(arrived, 0);
    }),
  );
}

const shared = workerData as Partial<Shared> | null;
if (shared?.arrived) serve({ arrived: shared.arrived });
