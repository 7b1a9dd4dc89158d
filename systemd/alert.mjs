// Run by hotbags-alert@.service: tells the operator that a unit has failed for good, or (<unit>:again) fails again and again, by ALERT_WEBHOOK_URL and ALERT_COMMAND, as the
// sidecar would, with its code, but without its settings and its database: they may be what is wrong. Ends with 1 when nobody could be told.
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { openChannels } from "../sidecar/dist/alerts/channels.js";
import { tellDirectly } from "../sidecar/dist/alerts/direct.js";
import { unitFailure } from "../sidecar/dist/alerts/unit-failure.js";
import { FORMATS } from "../sidecar/dist/alerts/webhook-formats.js";
import { readLastBackup } from "../sidecar/dist/checks/last-backup.js";

const webhookUrl = URL.parse(secret("ALERT_WEBHOOK_URL") ?? "");
const format = process.env.ALERT_WEBHOOK_FORMAT;
const command = secret("ALERT_COMMAND") ?? null;
const channels = openChannels({ webhookUrl, webhookFormat: FORMATS.includes(format) ? format : null, command });
if (channels.length === 0) process.stderr.write("hotbags: neither ALERT_WEBHOOK_URL nor ALERT_COMMAND is set\n");
const [unit, again] = (process.argv[2] ?? "a unit").split(":");
const stateDir = process.env.BRIDGE_STATE_DIR ?? "/var/lib/hotbags";
const reason = unit === "hotbags-backup.service" ? (readLastBackup(stateDir)?.problem ?? null) : null;
const failure = { unit, host: hostname(), at: Date.now(), reason, isRestarted: again !== undefined };
const told = await tellDirectly(unitFailure(failure), channels);
for (const { channel, ok, reason } of told) if (!ok) process.stderr.write(`hotbags: ${channel} failed (${reason})\n`);
process.exitCode = told.some(({ ok }) => ok) ? 0 : 1;

/** From the environment, from a file, or from a credential of systemd. */
function secret(name) {
  const folder = process.env.CREDENTIALS_DIRECTORY;
  for (const path of [process.env[`${name}_FILE`], folder && `${folder}/${name}`]) {
    try {
      if (path) return readFileSync(path, "utf8").trim();
    } catch {
      // The next place.
    }
  }
  return process.env[name] || undefined;
}
