// Raises an alert while every file descriptor is taken, and gives them back when the first attempt has failed.
import { closeSync, openSync } from "node:fs";
import { pino } from "pino";
import { Alerts } from "../../dist/ops/alerts.js";

const taken = [];
const log = pino(
  { base: null },
  {
    write(line) {
      const { msg } = JSON.parse(line);
      process.send(msg);
      if (msg.startsWith("alert not delivered")) for (const descriptor of taken.splice(0)) closeSync(descriptor);
    },
  },
);
const alerts = new Alerts({ webhookUrl: null, command: process.argv[2] }, log, { timeoutMs: 5_000, waitsMs: [1] });
try {
  for (;;) taken.push(openSync("/dev/null"));
} catch {}
const delivered = await alerts.raise({ id: "downtime-1", kind: "downtime", text: "look", details: {} });
await alerts.close();
process.send(`delivered: ${delivered}`, () => process.disconnect());
