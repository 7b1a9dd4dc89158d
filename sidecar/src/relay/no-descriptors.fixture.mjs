// POSTs a message to Hot Bags while every file descriptor of this process is taken, and says what it takes the failure for.
import { openSync } from "node:fs";
import { HotBags } from "./hotbags.ts";

const hotbags = new HotBags({
  ...{
    baseUrl: new URL(process.argv[2]),
    inboundPath: "/inbound",
    bearerToken: "t",
    hmacSecret: null,
    extraHeaders: {},
  },
  ...{ connectTimeoutMs: 5_000, timeoutMs: 5_000, maxRetryAfterMs: 1_000, connections: 1 },
});
const body = { byteLength: 2, open: () => "{}", pieces: async function* () {} };
try {
  for (;;) openSync("/dev/null");
} catch {}
const { symptom } = await hotbags.post({ message_id: "A", account_id: "default" }, body);
process.send({ trouble: symptom.trouble, seen: symptom.seen }, () => process.disconnect());
