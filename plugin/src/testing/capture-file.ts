// Runs the plugin's whole instance on one message with a file, and kills itself at the given failpoint, as a power cut
// would.
import { subscribe } from "node:diagnostics_channel";
import { flushCompileCache } from "node:module";
import { Bridge } from "../bridge.ts";
import { directContext } from "./messages.ts";

// Kept for the next such process now: a kill leaves nothing behind.
flushCompileCache();

const [stateDir = "", sidecarUrl = "", token = "", killedAt = "", path = ""] = process.argv.slice(2);
subscribe("hotbags:failpoint", (name) => {
  if (name === killedAt) process.kill(process.pid, "SIGKILL");
});
const bridge = new Bridge({
  ...{ stateDir, openclawVersion: "2026.9.6", isConsumed: () => false },
  ...{ log: { info: () => {}, warn: () => {}, error: console.error } },
  readConfig: () => ({ sidecarUrl, token }),
});
bridge.start();
await bridge.onDispatch(directContext({ MessageSid: "M1", media: [{ path, kind: "image" }] }));
