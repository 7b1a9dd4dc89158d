import { hostname } from "node:os";
import { resolve } from "node:path";
import type { z } from "zod";
import type { ChannelSettings } from "./alerts/channels.ts";
import type { AlertLimits } from "./alerts/teller.ts";
import type { Extras } from "./commands/index.ts";
import type { ConsoleSettings } from "./console/console.ts";
import type { QuietLimits } from "./downtime/quiet-watch.ts";
import type { ListenAddress } from "./listening/listen-address.ts";
import type { OutboxOptions } from "./relay/outbox.ts";
import type { BrakeLimits } from "./replies/brake.ts";
import type { OutboundLimits } from "./replies/outbound-pace.ts";
import type { PaceLimits } from "./replies/pace.ts";
import { type EnvFile, readEnvFile } from "./settings/env-file.ts";
import { folder } from "./settings/forms.ts";
import { type SettingName, settingOf, type Values } from "./settings/schema.ts";
import { type Entry, findSettings } from "./settings/sources.ts";
import type { Keep, MediaLimits } from "./store/index.ts";

/** The settings won't do. The message names each of them and what is wrong with it, never its value. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";

  constructor(mistakes: readonly string[]) {
    super(mistakes.join("; "));
  }
}

export interface Settings {
  hotbags: {
    baseUrl: URL;
    inboundPath: string;
    bearerToken: string;
    /** Shown when the other one is refused. */
    bearerTokenPrevious: string | null;
    /** Null: nothing is signed. */
    hmacSecret: string | null;
    hmacSecretPrevious: string | null;
    /** Null: nothing is signed as Standard Webhooks does. */
    webhookSecret: string | null;
    webhookSecretPrevious: string | null;
    /** Secret. */
    extraHeaders: Readonly<Record<string, string>>;
    /** What it may use besides what every bridge takes. */
    accepts: Extras;
    timeoutMs: number;
  };
  /** Where Hot Bags takes delivery reports, below its base URL; null: it wants none. */
  reportsPath: string | null;
  /** And events. */
  eventsPath: string | null;
  /** What Hot Bags sends without being asked. */
  outbox: OutboxOptions;
  /** How long a message is tried again before it is a dead letter. */
  maxRetryingMs: number;
  gateway: { url: string; token: string };
  listen: ListenAddress;
  /** Where metrics and health are answered besides; null: nowhere. */
  metricsListen: Exclude<ListenAddress, { path: string }> | null;
  /** The owner's page; null: there is none. */
  console: ConsoleSettings | null;
  bridgeToken: string;
  /** The plugin may show it as well. */
  bridgeTokenPrevious: string | null;
  stateDir: string;
  /** The address of the PostgreSQL that has the queue, secret; null: it is in `stateDir`. */
  database: string | null;
  /** Names this sidecar for people. */
  instance: string;
  keep: Keep;
  media: MediaLimits;
  /** The operator is told when the disk of `stateDir` has less left; 0: never. */
  lowDiskBytes: number;
  pace: PaceLimits;
  brake: BrakeLimits;
  /** Replies to messages that were written to these numbers may leave from another one. */
  formerNumbers: ReadonlySet<string>;
  outbound: OutboundLimits;
  quiet: QuietLimits;
  alerts: ChannelSettings &
    AlertLimits & {
      /** Secret; null: there is none. */
      heartbeatUrl: URL | null;
      /** The gateway, the plugin or WhatsApp may be away for so long before the operator is told. */
      downMs: number;
    };
  /** A message or reply that waits longer is unhealthy. */
  maxWaitMs: number;
  logLevel: string;
}

/** What was read of all settings. */
export interface Reading {
  /** Where each one is from, and its text. Of secrets too: not to be shown. */
  entries: Entry[];
  /** Null: there are mistakes. */
  settings: Settings | null;
  /** All of them, a sentence each that begins with the setting. No value is in them. */
  mistakes: string[];
  envFile: EnvFile | null;
}

/** Reads the settings of the environment, of the env file at this path, and of the files and credentials that hold secrets. Never throws. */
export function surveySettings(environment: NodeJS.ProcessEnv, envFilePath?: string): Reading {
  const envFile = envFilePath === undefined ? null : readEnvFile(resolve(envFilePath));
  const { entries, mistakes: unread } = findSettings({ environment, envFile });
  const judged = judgeSettings(entries);
  const mistakes = [...(envFile?.mistakes ?? []), ...unread, ...judged.mistakes];
  return { entries, mistakes, envFile, settings: mistakes.length === 0 ? judged.settings : null };
}

/** What texts make of themselves. Of one that could not be had from its place, that was said already. */
export function judgeSettings(entries: readonly Entry[]): Pick<Reading, "settings" | "mistakes"> {
  const isUnread = new Set(entries.filter(({ text, source }) => text === undefined && source !== null));
  const values: Partial<Record<SettingName, unknown>> = {};
  const mistakes: string[] = [];
  for (const entry of entries) {
    if (isUnread.has(entry)) continue;
    const { name, text } = entry;
    const { form, required } = settingOf(name);
    if (text === undefined) {
      if (required) mistakes.push(`${name}: is not set`);
      continue;
    }
    const parsed = form.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else mistakes.push(`${name}: ${reasonsOf(parsed.error)}`);
  }
  mistakes.push(...contradictions(values, entries));
  const isWhole = mistakes.length === 0 && isUnread.size === 0;
  return { mistakes, settings: isWhole ? toSettings(values as Values) : null };
}

/** The same, where nothing can be done without them. Throws SettingsError. */
export function readSettings(environment: NodeJS.ProcessEnv, envFilePath?: string): Settings {
  const { settings, mistakes } = surveySettings(environment, envFilePath);
  if (!settings) throw new SettingsError(mistakes);
  return settings;
}

/** BRIDGE_STATE_DIR, whatever is wrong with the other settings. Throws SettingsError for the env file itself. */
export function readStateDir(environment: NodeJS.ProcessEnv, envFilePath?: string): string {
  const reading = surveySettings(environment, envFilePath);
  const { mistakes = [] } = reading.envFile ?? {};
  if (mistakes.length > 0) throw new SettingsError(mistakes);
  return stateDirIn(reading);
}

/** BRIDGE_STORE, as readStateDir reads its own; null: it is not set. Throws SettingsError where it can't be had, too. */
export function readDatabase(environment: NodeJS.ProcessEnv, envFilePath?: string): string | null {
  const { entries, mistakes, envFile } = surveySettings(environment, envFilePath);
  const ours = mistakes.filter((mistake) => mistake.startsWith("BRIDGE_STORE"));
  if (envFile && envFile.mistakes.length > 0) throw new SettingsError(envFile.mistakes);
  if (ours.length > 0) throw new SettingsError(ours);
  return entries.find(({ name }) => name === "BRIDGE_STORE")?.text ?? null;
}

/** BRIDGE_STATE_DIR of a reading, whatever is wrong with it. */
export function stateDirIn({ entries }: Reading): string {
  return folder.parse(entries.find(({ name }) => name === "BRIDGE_STATE_DIR")?.text);
}

function reasonsOf({ issues }: z.ZodError): string {
  return [...new Set(issues.map(({ message }) => message))].join("; ");
}

/** What no setting says by itself. */
function contradictions(values: Partial<Record<SettingName, unknown>>, entries: readonly Entry[]): string[] {
  const mistakes: string[] = [];
  const secret = entries.find(({ name }) => name === "HOTBAGS_HMAC_SECRET");
  if (values["HOTBAGS_HMAC_DISABLED"] === "false" && !secret?.source)
    mistakes.push("HOTBAGS_HMAC_SECRET: is not set, but HOTBAGS_HMAC_DISABLED=false asks for signatures");
  const taken = new Map([[values["HOTBAGS_INBOUND_PATH"], "HOTBAGS_INBOUND_PATH"]]);
  for (const name of ["HOTBAGS_REPORTS_PATH", "HOTBAGS_EVENTS_PATH", "HOTBAGS_OUTBOX_PATH"] as const) {
    const path = values[name];
    const other = path === undefined ? undefined : taken.get(path);
    if (other !== undefined) mistakes.push(`${name}: is the same as ${other}: each needs a path of its own`);
    taken.set(path, name);
  }
  const listening = new Map<string, string>();
  for (const name of ["BRIDGE_LISTEN", "BRIDGE_METRICS_LISTEN", "BRIDGE_CONSOLE"] as const) {
    const address = values[name] as ListenAddress | undefined;
    if (address === undefined || "path" in address || address.port === 0) continue;
    const where = `${address.host}:${address.port}`;
    const other = listening.get(where);
    if (other !== undefined) mistakes.push(`${name}: is the same as ${other}: each needs a port of its own`);
    listening.set(where, name);
  }
  return mistakes;
}

function toSettings(values: Values): Settings {
  const isSigned = values.HOTBAGS_HMAC_DISABLED === "false";
  return {
    hotbags: {
      baseUrl: values.HOTBAGS_BASE_URL,
      inboundPath: values.HOTBAGS_INBOUND_PATH,
      bearerToken: values.HOTBAGS_BEARER_TOKEN,
      bearerTokenPrevious: values.HOTBAGS_BEARER_TOKEN_PREVIOUS ?? null,
      hmacSecret: (isSigned && values.HOTBAGS_HMAC_SECRET) || null,
      hmacSecretPrevious: (isSigned && values.HOTBAGS_HMAC_SECRET_PREVIOUS) || null,
      webhookSecret: values.HOTBAGS_WEBHOOK_SECRET ?? null,
      webhookSecretPrevious: values.HOTBAGS_WEBHOOK_SECRET_PREVIOUS ?? null,
      extraHeaders: values.HOTBAGS_EXTRA_HEADERS ?? {},
      accepts: new Set(values.HOTBAGS_COMMANDS),
      timeoutMs: values.HOTBAGS_TIMEOUT * 1_000,
    },
    reportsPath: values.HOTBAGS_REPORTS_PATH ?? null,
    eventsPath: values.HOTBAGS_EVENTS_PATH ?? null,
    outbox: {
      mode: values.BRIDGE_OUTBOUND,
      path: values.HOTBAGS_OUTBOX_PATH,
      waitSeconds: values.HOTBAGS_OUTBOX_SECONDS,
      knownMs: values.BRIDGE_OUTBOUND_KNOWN_HOURS * 3_600_000,
      newChatsPerDay: values.BRIDGE_OUTBOUND_NEW_CHATS_PER_DAY,
    },
    maxRetryingMs: values.BRIDGE_RETRY_HOURS * 3_600_000,
    gateway: { url: values.OPENCLAW_GATEWAY_URL.href, token: values.OPENCLAW_GATEWAY_TOKEN },
    listen: values.BRIDGE_LISTEN,
    metricsListen: values.BRIDGE_METRICS_LISTEN ?? null,
    console: values.BRIDGE_CONSOLE
      ? {
          address: values.BRIDGE_CONSOLE,
          origin: values.BRIDGE_CONSOLE_ORIGIN ?? null,
          readOnly: values.BRIDGE_CONSOLE_READ_ONLY === "true",
        }
      : null,
    bridgeToken: values.BRIDGE_TOKEN,
    bridgeTokenPrevious: values.BRIDGE_TOKEN_PREVIOUS ?? null,
    stateDir: values.BRIDGE_STATE_DIR,
    database: values.BRIDGE_STORE ?? null,
    instance: values.BRIDGE_INSTANCE ?? hostname(),
    keep: {
      textsDays: values.BRIDGE_KEEP_TEXTS_DAYS,
      keysDays: values.BRIDGE_KEEP_KEYS_DAYS,
      deadLettersDays: values.BRIDGE_KEEP_DEAD_LETTERS_DAYS,
    },
    media: { storeBytes: values.BRIDGE_MEDIA_STORE_BYTES, inlineBytes: values.BRIDGE_INLINE_MEDIA_BYTES },
    lowDiskBytes: values.BRIDGE_LOW_DISK_BYTES,
    pace: { chatIntervalMs: values.BRIDGE_CHAT_INTERVAL_MS, perMinute: values.BRIDGE_REPLIES_PER_MINUTE },
    brake: { perMinute: values.BRIDGE_CHAT_REPLIES_PER_MINUTE, perHour: values.BRIDGE_CHAT_REPLIES_PER_HOUR },
    formerNumbers: new Set(values.BRIDGE_FORMER_NUMBERS),
    outbound: { isOn: values.BRIDGE_OUTBOUND !== "off", perMinute: values.BRIDGE_OUTBOUND_PER_MINUTE },
    quiet: { afterMs: values.BRIDGE_QUIET_HOURS * 3_600_000, hours: values.BRIDGE_OPENING_HOURS },
    alerts: {
      webhookUrl: values.ALERT_WEBHOOK_URL ?? null,
      webhookFormat: values.ALERT_WEBHOOK_FORMAT ?? null,
      command: values.ALERT_COMMAND ?? null,
      heartbeatUrl: values.ALERT_HEARTBEAT_URL ?? null,
      repeatMs: values.ALERT_REPEAT_HOURS * 3_600_000,
      downMs: values.ALERT_DOWN_MINUTES * 60_000,
      calmMs: values.ALERT_CALM_SECONDS * 1_000,
    },
    maxWaitMs: values.HEALTH_MAX_WAIT * 60_000,
    logLevel: values.BRIDGE_LOG_LEVEL,
  };
}
