import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import JSON5 from "json5";
import { OUR_PLUGIN, SUBJECT } from "./places.ts";

const EXAMPLE = fileURLToPath(new URL("../../openclaw.json.example", import.meta.url));

/** The parts of OpenClaw's configuration that tests change, and whatever else is in it. */
export type GatewayConfig = {
  gateway: { port: number; [key: string]: unknown };
  channels: {
    whatsapp: {
      allowFrom: string[];
      groupAllowFrom: string[];
      groups: Record<string, Record<string, unknown>>;
      accounts?: Record<string, Record<string, unknown>>;
      [key: string]: unknown;
    };
    [key: string]: unknown;
  };
  plugins: {
    allow: string[];
    load?: { paths: string[] };
    entries: Record<string, { enabled: boolean; config?: Record<string, unknown> }>;
    [key: string]: unknown;
  };
  logging?: Record<string, unknown>;
  [key: string]: unknown;
};

/** A change to the configuration: in place, or a new one in its stead. */
export type ConfigPatch = (config: GatewayConfig) => GatewayConfig | undefined;

/** A plugin under the id `hotbags`: its folder (default: this repository's), and what its configuration has besides the example's. */
export type PluginUnderTest = { path?: string; config?: Record<string, unknown> };

export type ConfigOptions = {
  port: number;
  /** The gateway's folder for files of its own. */
  root: string;
  /** The bots. With `default` alone, or none, the configuration names no accounts, as in the example. */
  accountIds: readonly string[];
  /** `none` leaves the plugin out; `installed` takes the one that is installed in the state folder. */
  plugin: PluginUnderTest | "none" | "installed";
  sidecarUrl: string;
  /** Numbers, E.164, that may write to the bot, directly and in groups. Default: the example's. */
  allowFrom?: readonly string[] | undefined;
  /** Groups, by id, that get through. Default: the example's. */
  groups?: readonly string[] | undefined;
  configPatch?: ConfigPatch | undefined;
};

/**
 * `openclaw.json.example` as a gateway under test runs on it: only ports, numbers, paths and what the test asks for are changed, so
 * that the example cannot rot. Its secrets stay references to the environment.
 */
export async function exampleConfig(options: ConfigOptions): Promise<GatewayConfig> {
  const config = JSON5.parse<GatewayConfig>(await readFile(EXAMPLE, "utf8"));
  for (const path of SUBJECT.without) leaveOut(config, path.split("."));
  config.gateway.port = options.port;
  config.logging = { file: join(options.root, "openclaw.log") };
  const { whatsapp } = config.channels;
  if (options.allowFrom !== undefined) {
    whatsapp.allowFrom = [...options.allowFrom];
    whatsapp.groupAllowFrom = [...options.allowFrom];
  }
  if (options.groups !== undefined) {
    const [setting] = Object.values(whatsapp.groups);
    whatsapp.groups = Object.fromEntries(options.groups.map((id) => [id, { ...setting }]));
  }
  if (options.accountIds.some((id) => id !== "default")) {
    whatsapp.accounts = Object.fromEntries(options.accountIds.map((id) => [id, {}]));
  }
  setPlugin(config.plugins, options);
  return options.configPatch?.(config) ?? config;
}

/** How full the disk of the tests is, perhaps a small one in memory, is none of their business. */
const ANY_DISK = { lowDiskBytes: 0 };

function setPlugin(plugins: GatewayConfig["plugins"], { plugin, sidecarUrl }: ConfigOptions): void {
  const entry = plugins.entries["hotbags"];
  if (entry === undefined) throw new Error(`${EXAMPLE} has no plugins.entries.hotbags`);
  if (plugin === "none") {
    plugins.allow = plugins.allow.filter((id) => id !== "hotbags");
    delete plugins.load;
    delete plugins.entries["hotbags"];
    return;
  }
  if (plugin === "installed") {
    delete plugins.load;
    entry.config = { ...entry.config, ...ANY_DISK, sidecarUrl };
    return;
  }
  plugins.load = { paths: [plugin.path ?? OUR_PLUGIN] };
  entry.config = { ...entry.config, ...ANY_DISK, sidecarUrl, ...plugin.config };
}

/** Writes the configuration in one step: OpenClaw watches the file, and must not see half of it. */
export async function writeConfig(path: string, config: GatewayConfig): Promise<void> {
  const beside = `${path}.new`;
  await writeFile(beside, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  await rename(beside, path);
}

/** @throws Error where there is none. */
function leaveOut(config: GatewayConfig, path: readonly string[]): void {
  const holder = path.slice(0, -1).reduce<unknown>((part, key) => (part as Record<string, unknown>)?.[key], config);
  const key = path.at(-1) ?? "";
  if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key))
    throw new Error(`openclaw.json.example has no ${path.join(".")}`);
  delete (holder as Record<string, unknown>)[key];
}
