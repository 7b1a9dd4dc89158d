// Tells of something while every file descriptor is taken, and gives them back when the first attempt has failed.
import { closeSync, openSync } from "node:fs";
import { pino } from "pino";
import { systemClock, systemTimers } from "../clock.ts";
import { openChannels } from "./channels.ts";
import { Deliveries } from "./deliveries.ts";

const taken = [];
const log = pino(
  { base: null },
  {
    write(line) {
      const { msg } = JSON.parse(line);
      process.send(msg, () => msg === "alert delivered" && process.disconnect());
      if (msg.startsWith("alert not delivered")) for (const descriptor of taken.splice(0)) closeSync(descriptor);
    },
  },
);
const [channel] = openChannels({ webhookUrl: null, webhookFormat: null, command: process.argv[2] });
const deliveries = new Deliveries({
  ...{ channel, clock: systemClock, timers: systemTimers, log, random: () => 0, provenNow: () => 0 },
});
try {
  for (;;) taken.push(openSync("/dev/null"));
} catch {}
const details = {};
const notice = { id: "downtime-1", kind: "downtime", state: "happened", severity: "warning", title: "x", text: "look" };
deliveries.add({ notice: { ...notice, since: "2026-03-01T12:00:00.000Z", details }, toldAt: 0, done() {} });
