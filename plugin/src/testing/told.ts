// Runs the plugin's whole instance in a process of its own, as a gateway does, and captures what it is told to: one JSON a line on stdin,
// `{"id": "M1"}` or `{"id": "M1", "path": "/a/picture.jpg"}`. Ends when stdin does, with code 0 if nothing else ended it.
import { createInterface } from "node:readline";
import { Bridge } from "../bridge.ts";
import { LINK_TIMING } from "../link/timing.ts";
import { directContext } from "./messages.ts";

const [stateDir = "", sidecarUrl = "", token = ""] = process.argv.slice(2);
const bridge = new Bridge({
  ...{ stateDir, openclawVersion: "2026.9.6", isConsumed: () => false },
  ...{ log: { info: console.log, warn: console.log, error: console.log } },
  readConfig: () => ({ sidecarUrl, token }),
  linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5 },
});
bridge.start();
for await (const line of createInterface({ input: process.stdin })) {
  const { id, path } = JSON.parse(line) as { id: string; path?: string };
  void bridge.onDispatch(directContext({ MessageSid: id, ...(path && { media: [{ path, kind: "image" }] }) }));
}
await bridge.stop();
