import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "@hotbags/shared";
import { pluginFolderProblems } from "../checks/plugin-folder.ts";
import { gatewayUnit } from "../gateway/index.ts";
import type { Check } from "./check.ts";
import { type Finding, fail, ok, skipped } from "./finding.ts";
import { findConfig } from "./openclaw-config.ts";

/** A line of /proc/net/tcp and tcp6: the port that listens (state 0A), and whose it is (proc(5)). */
const LISTENING = /^\s*\d+: [0-9A-F]+:(?<port>[0-9A-F]{4}) \S+ 0A (?:\S+ ){3}\s*(?<uid>\d+) /;

/** Whether OpenClaw loads the plugin from its folder, in a gateway of the user that it runs as. */
export const pluginFolder: Check = {
  name: "plugin's folder",
  look: async (subject) => {
    const found = await findConfig(subject);
    if (found.kind !== "found") return [skipped("OpenClaw's configuration is not known")];
    const folders = pathsIn(found.config).filter((path) => path.startsWith("/") && /plugin\/?$/.test(path));
    if (folders.length === 0) return [skipped("no folder in plugins.load.paths: the plugin is installed in OpenClaw")];
    const { settings } = subject;
    const listener = settings === null ? null : listenerAt(Number(new URL(settings.gateway.url).port));
    // The sidecar's unit hides /proc/net from it.
    const user = listener ?? (await gatewayUnit())?.uid ?? null;
    if (user === null) return [skipped("nobody can say as which user the gateway runs")];
    const hidden = folders.find((folder) => !canLookInto(folder));
    if (hidden !== undefined) return [skipped(`${hidden}: only the gateway's user can look into it`)];
    const findings = folders.flatMap((folder) => pluginFolderProblems(folder, user).map(split));
    return findings.length > 0 ? findings : [ok(`${folders.join(", ")}: OpenClaw may load it`)];
  },
};

function pathsIn(config: Readonly<Record<string, unknown>>): string[] {
  const { plugins } = config as { plugins?: { load?: { paths?: unknown } } };
  const paths = plugins?.load?.paths;
  return Array.isArray(paths) ? paths.filter((path) => typeof path === "string") : [];
}

/** False where another user's folder is in the way; one that is not there can be looked into as far as it goes. */
function canLookInto(folder: string): boolean {
  try {
    statSync(join(folder, "dist", "index.js"));
  } catch (error) {
    return codeOf(error) !== "EACCES";
  }
  return true;
}

/** The user whose process listens at this port; null where nobody does, or it can't be told. */
function listenerAt(port: number): number | null {
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readTable(table)) {
      const { port: hex, uid } = LISTENING.exec(line)?.groups ?? {};
      if (hex !== undefined && Number.parseInt(hex, 16) === port) return Number(uid);
    }
  }
  return null;
}

function readTable(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    // Not Linux, or hidden.
    return [];
  }
}

/** "what is so: what to do", with the last colon between them. */
function split(problem: string): Finding {
  const [, seen = problem, advice = ""] = /^(.*): ((?:chmod|chown|run) .*)$/.exec(problem) ?? [];
  return fail(seen, advice);
}
