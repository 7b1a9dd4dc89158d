import { openChannels } from "../alerts/channels.ts";
import type { Channel } from "../alerts/notice.ts";
import { tested, testNotice } from "../alerts/test-notice.ts";
import type { Settings } from "../settings.ts";
import { type Check, NO_SETTINGS } from "./check.ts";
import { type Finding, fail, ok, skipped, warn } from "./finding.ts";

/** Where alerts go, and, where it is asked for, whether one arrives. It is not repeated: whoever asks is there to see it. */
export const alerts: Check = {
  name: "alerts",
  look: async ({ settings, testsAlert }) => {
    if (settings === null) return [skipped(NO_SETTINGS)];
    return [...(await waysOf(settings, testsAlert)), ...heartbeatOf(settings)];
  },
};

/** `ALERT_WEBHOOK_URL` and `ALERT_COMMAND`. */
async function waysOf(settings: Settings, testsAlert: boolean): Promise<Finding[]> {
  const channels = openChannels(settings.alerts);
  try {
    if (channels.length === 0) {
      const advice = "set ALERT_WEBHOOK_URL or ALERT_COMMAND (docs/alerts.md)";
      return [warn("nobody is told when something breaks", advice)];
    }
    if (testsAlert) return await Promise.all(channels.map(test));
    return [ok(`${channels.map(({ name }) => name).join(" and ")} set; --test-alert sends one`)];
  } finally {
    for (const channel of channels) await channel.close();
  }
}

/** All else is told by this machine itself. */
function heartbeatOf({ alerts: { heartbeatUrl } }: Settings): Finding[] {
  if (heartbeatUrl !== null) return [ok("ALERT_HEARTBEAT_URL is asked for while all is well")];
  const advice = "set ALERT_HEARTBEAT_URL to a check of healthchecks.io or Uptime Kuma (docs/alerts.md#health)";
  return [warn("nobody is told when the whole machine is gone", advice)];
}

async function test(channel: Channel): Promise<Finding> {
  const { name } = channel;
  const notice = testNotice(Date.now());
  const { ok: isTaken, reason } = await tested(name, (signal) => channel.send(notice, signal));
  if (isTaken) return ok(`${name} has taken a test alert: see that it has reached you`);
  return fail(`${name} has not taken a test alert: ${reason}`, "docs/alerts.md says what it is sent, and how");
}
