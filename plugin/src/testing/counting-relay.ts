import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { onTestFinished } from "vitest";

/** In a thread of its own, so that it hears what comes while the test's own thread is busy. */
const RELAY = `
const { connect, createServer } = require("node:net");
const { parentPort, workerData: { bytes, port } } = require("node:worker_threads");
const relay = createServer((client) => {
  const sidecar = connect(port, "127.0.0.1");
  client.on("data", (chunk) => {
    Atomics.add(bytes, 0, chunk.length);
    Atomics.notify(bytes, 0);
  });
  for (const [from, to] of [[client, sidecar], [sidecar, client]]) from.on("error", () => to.destroy()).pipe(to);
});
relay.listen(0, "127.0.0.1", () => parentPort.postMessage(relay.address().port));
`;

/** A relay before a sidecar's address. `waitFor` blocks this thread until so many bytes have come in all; false after 5 s. */
export async function countingRelay(url: string) {
  const bytes = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { bytes, port: Number(new URL(url).port) };
  const worker = new Worker(RELAY, { eval: true, workerData });
  onTestFinished(async () => void (await worker.terminate()));
  const [port] = await once(worker, "message");
  return {
    url: `ws://127.0.0.1:${port}`,
    bytes: () => Atomics.load(bytes, 0),
    waitFor(inAll: number): boolean {
      for (let now = Atomics.load(bytes, 0); now < inAll; now = Atomics.load(bytes, 0))
        if (Atomics.wait(bytes, 0, now, 5_000) === "timed-out") return false;
      return true;
    },
  };
}
