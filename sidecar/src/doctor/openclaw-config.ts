import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { codeOf } from "@hotbags/shared";
import JSON5 from "json5";
import * as z from "zod";
import type { Subject } from "./check.ts";
import { settled } from "./gateway.ts";

/** The gateway's user in the systemd unit, and its home. */
const USER_OF_THE_UNIT = /^openclaw:[^:]*:\d+:\d+:[^:]*:(?<home>\/[^:]*):/m;

/** OpenClaw's configuration as it is on disk, or why it can't be seen. */
export type ConfigFound =
  | { readonly kind: "found"; readonly config: Readonly<Record<string, unknown>>; readonly from: string }
  | { readonly kind: "hidden"; readonly why: string }
  /** Nobody can read it, OpenClaw neither. */
  | { readonly kind: "broken"; readonly why: string; readonly path: string };

/** From the gateway, whoever's it is; or while that is down, from its file, where this user may read that. */
export async function findConfig({ gateway, environment }: Subject): Promise<ConfigFound> {
  if (gateway !== null && (await settled(gateway)).link === "up") {
    const found = await gateway.config();
    if (found) return { kind: "found", config: found.config, from: found.path ?? "the gateway's configuration" };
    return { kind: "hidden", why: "the gateway does not show its configuration" };
  }
  const paths = candidates(environment);
  for (const path of paths) {
    const found = readConfig(path);
    if (found) return found;
  }
  return { kind: "hidden", why: `the gateway is not connected, and this user can read no ${paths.join(" or ")}` };
}

function readConfig(path: string): ConfigFound | null {
  try {
    const config = z.record(z.string(), z.unknown()).parse(JSON5.parse(readFileSync(path, "utf8")));
    return { kind: "found", config, from: path };
  } catch (error) {
    // It is not there, or not this user's to read.
    if (codeOf(error)) return null;
    const { lineNumber: line, columnNumber: column } = error as { lineNumber?: number; columnNumber?: number };
    return { kind: "broken", why: line ? `line ${line}, column ${column}` : "it is no object", path };
  }
}

/** As OpenClaw looks for it. */
function candidates(environment: NodeJS.ProcessEnv): string[] {
  const { OPENCLAW_CONFIG_PATH: path, OPENCLAW_STATE_DIR: stateDir } = environment;
  if (path) return [path];
  if (stateDir) return [join(stateDir, "openclaw.json")];
  const { home } =
    USER_OF_THE_UNIT.exec(existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8") : "")?.groups ?? {};
  const homes = new Set([homedir(), ...(home === undefined ? [] : [home])]);
  return [...homes].map((one) => join(one, ".openclaw", "openclaw.json"));
}
