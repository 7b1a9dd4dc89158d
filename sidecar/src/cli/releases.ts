import { hostname } from "node:os";
import type { z } from "zod";
import { openChannels } from "../alerts/channels.ts";
import { tellDirectly } from "../alerts/direct.ts";
import type { Notice } from "../alerts/notice.ts";
import { isRebootRequired, lookForReleases, noteReleases, type Part, readReleases } from "../checks/releases.ts";
import { systemClock } from "../clock.ts";
import { SETTINGS, type SettingName } from "../settings/schema.ts";
import { surveySettings } from "../settings.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { type Column, type Output, say, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<Part>[] = [
  { title: "part", cell: ({ name }) => name },
  { title: "here", cell: ({ here }) => here },
  { title: "newest", cell: ({ newest }) => newest ?? "?" },
  { title: "", cell: ({ remark }) => remark },
];

interface ReleasesOptions {
  environment: NodeJS.ProcessEnv;
  envFile: string | undefined;
  stateDir: string;
  /** Tells the operator of what is newer, once of each release. */
  tell: boolean;
}

/** `hotbags releases`: is there a newer one? Nothing is installed. Throws CliError where somebody could not be told. */
export async function showReleases(options: ReleasesOptions, output: Output): Promise<number> {
  const { environment, envFile, stateDir, tell } = options;
  const { entries } = surveySettings(environment, envFile);
  /** Whatever is wrong with the others, which may be what the operator is to be told of. */
  const setting = <Name extends SettingName>(name: Name) => {
    const parsed = SETTINGS[name].form.safeParse(entries.find((entry) => entry.name === name)?.text);
    return parsed.data as z.output<(typeof SETTINGS)[Name]["form"]> | undefined;
  };
  const registry = setting("BRIDGE_NPM_REGISTRY");
  if (!registry) throw new CliError(EXIT.config, "BRIDGE_NPM_REGISTRY: is no address of a registry");
  const bridge = setting("BRIDGE_RELEASES_URL") ?? null;
  const parts = await lookForReleases({ bridge, registry });
  const found = { looked_at: new Date().toISOString(), parts, reboot_required: isRebootRequired() };
  if (output.json) writeJson(output, found);
  else {
    writeTable(output, COLUMNS, parts);
    if (found.reboot_required) say(output, "The system's updates count after a restart of this machine.");
  }
  if (tell) {
    const before = readReleases(stateDir);
    const told = before?.told ?? [];
    const news = parts.filter((part) => part.is_newer && !told.includes(nameOf(part)));
    const ways = {
      webhookUrl: setting("ALERT_WEBHOOK_URL") ?? null,
      webhookFormat: setting("ALERT_WEBHOOK_FORMAT") ?? null,
      command: setting("ALERT_COMMAND") ?? null,
    };
    const failures: string[] = [];
    for (const part of news) {
      const results = await tellDirectly(noticeOf(part, systemClock.now()), openChannels(ways));
      // In the log it is in any case: with no way set, that is where alerts are.
      if (results.length === 0 || results.some(({ ok }) => ok)) told.push(nameOf(part));
      else failures.push(...results.map(({ channel, reason }) => `${channel} failed (${reason})`));
    }
    const unnoted = noteReleases(stateDir, { ...found, told });
    if (unnoted !== null) failures.push(`what was found can't be noted in ${stateDir} (${unnoted})`);
    if (failures.length > 0) throw new CliError(EXIT.no, failures.join("; "));
  }
  const isUnknown = ({ name, newest }: Part) => newest === null && (name !== "bridge" || bridge !== null);
  return parts.some(isUnknown) ? EXIT.no : EXIT.ok;
}

function nameOf({ name, newest }: Part): string {
  return `${name} ${newest}`;
}

/** At `at`, wall-clock ms. */
function noticeOf(part: Part, at: number): Notice {
  const { name, here, newest, remark } = part;
  const what = name === "bridge" ? `the bridge, and ${here} runs` : `OpenClaw; ${here} was tested with this bridge`;
  return {
    ...{ id: `release-${at}`, kind: "release", state: "happened", severity: "info" },
    ...{ title: `${name} ${newest} is out`, since: new Date(at).toISOString() },
    text: `There is release ${newest} of ${what} (${hostname()}): ${remark}.`,
    details: { part: name, here, newest },
  };
}
