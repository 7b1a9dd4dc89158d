import type { Alert, TestedChannel } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<Alert>[] = [
  { title: "alert", cell: ({ kind }) => kind },
  { title: "since", cell: ({ since }) => shortTime(since) },
  { title: "over", cell: ({ ended }) => shortTime(ended) },
  { title: "severity", cell: ({ severity }) => severity },
  { title: "what", cell: ({ title }) => title },
];

const TESTED: Column<TestedChannel>[] = [
  { title: "way", cell: ({ channel }) => channel },
  { title: "result", cell: ({ ok }) => (ok ? "delivered" : "failed") },
  { title: "reason", cell: ({ reason }) => reason },
];

/** `hotbags alerts list`. */
export async function listAlerts(operator: Operator, limit: number, output: Output): Promise<number> {
  const { open, past } = await operator.ask("alerts", { limit: String(limit) });
  if (output.json) writeJson(output, { open, past });
  else if (open.length + past.length === 0) say(output, "There were none.");
  else {
    writeTable(output, COLUMNS, [...open, ...past]);
    // Whoever has just mended it looks here.
    if (open.length > 0) say(output, "One that is mended counts as over after ALERT_CALM_SECONDS (60).");
  }
  return EXIT.ok;
}

/** `hotbags alerts test`. */
export async function testAlerts(operator: Operator, output: Output): Promise<number> {
  const { channels } = await operator.ask("testAlerts", {});
  if (output.json) writeJson(output, channels);
  else writeTable(output, TESTED, channels);
  if (channels.length === 1)
    say(output, "Alerts are in the log only: set ALERT_WEBHOOK_URL or ALERT_COMMAND (docs/alerts.md).");
  return channels.every(({ ok }) => ok) ? EXIT.ok : EXIT.no;
}
