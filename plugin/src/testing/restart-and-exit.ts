// Runs the plugin's whole instance three times over, as config edits do, and then has nothing left to do. If anything were left open, the process
// would not end. Prints what Node still holds.
import { Bridge } from "../bridge.ts";
import { directContext } from "./messages.ts";
import { until } from "./until.ts";

const [stateDir = "", sidecarUrl = "", token = ""] = process.argv.slice(2);
for (let round = 0; round < 3; round += 1) {
  const lines: string[] = [];
  const keep = (line: string) => void lines.push(line);
  const bridge = new Bridge({
    ...{ stateDir, openclawVersion: "2026.9.6" },
    ...{ log: { info: keep, warn: keep, error: keep }, isConsumed: () => false },
    readConfig: () => ({ sidecarUrl, token }),
  });
  bridge.start();
  const received = { content: "Hello", messageId: `N${round}`, metadata: { senderE164: "+15550001" } };
  await bridge.onReceived(received, { channelId: "whatsapp", accountId: "default", conversationId: "+15550001" });
  await bridge.onDispatch(directContext({ MessageSid: `M${round}` }));
  await until("connected", () => lines.some((line) => line.includes("connected to the sidecar")));
  await bridge.stop();
}
setImmediate(() => console.log(JSON.stringify(process.getActiveResourcesInfo().filter((name) => name !== "PipeWrap"))));
