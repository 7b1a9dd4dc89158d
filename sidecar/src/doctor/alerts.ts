import type { Alert, Attempt } from "../ops/alert.ts";
import { runCommand } from "../ops/alert-command.ts";
import { Webhook } from "../ops/alert-webhook.ts";
import { type Check, NO_SETTINGS } from "./check.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

/** How long one way may take, ms. */
const PATIENCE_MS = 8_000;

type Way = (alert: Alert, signal: AbortSignal) => Promise<Attempt>;

/** Where alerts go, and, where it is asked for, whether one arrives. It is not repeated: whoever asks is there to see it. */
export const alerts: Check = {
  name: "alerts",
  look: async ({ settings, testsAlert }) => {
    if (settings === null) return [skipped(NO_SETTINGS)];
    const { webhookUrl, command } = settings.alerts;
    const webhook = webhookUrl && new Webhook(webhookUrl);
    const ways: [string, Way][] = [];
    if (webhook) ways.push(["ALERT_WEBHOOK_URL", (alert, signal) => webhook.post(alert, signal)]);
    if (command !== null) ways.push(["ALERT_COMMAND", (alert, signal) => runCommand(command, alert, signal)]);
    try {
      if (ways.length === 0)
        return [
          warn("nobody is told when something breaks", "set ALERT_WEBHOOK_URL or ALERT_COMMAND (docs/alerts.md)"),
        ];
      if (!testsAlert) return [ok(`${ways.map(([name]) => name).join(" and ")} set; --test-alert sends one`)];
      return await Promise.all(ways.map(([name, way]) => test(name, way)));
    } finally {
      await webhook?.close();
    }
  },
};

async function test(name: string, way: Way): Promise<Finding> {
  const text = "This is a test of the Hot Bags bridge's alerts: nothing is wrong, and nothing has to be done.";
  const alert: Alert = { id: `test-${Date.now()}`, kind: "test", text, details: {} };
  const attempt = await way(alert, AbortSignal.timeout(PATIENCE_MS));
  if (attempt.ok) return ok(`${name} has taken a test alert: see that it has reached you`);
  return fail(`${name} has not taken a test alert: ${attempt.why}`, "docs/alerts.md says what it is sent, and how");
}
