import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { codeOf, describeIssues, INBOUND_PATH, isLoopback, MAX_BODY_BYTES } from "@hotbags/shared";
import { z } from "zod";
import type { ListenAddress } from "./intake/listen-address.ts";
import type { AlertSettings } from "./ops/alerts.ts";
import { ExtraHeadersError, parseExtraHeaders } from "./relay/extra-headers.ts";
import type { PaceLimits } from "./replies/pace.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./store/index.ts";

/** The environment won't do. The message names each variable and what is wrong with it, never its value. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** A token that can be guessed is no door. */
const token = z.string().min(16, "must be at least 16 characters; `openssl rand -hex 32` makes one");

/** A URL of one of these schemes; anything else, with the example of a good one. */
const url = (schemes: string[], example: string) =>
  z.string().transform((text, ctx) => {
    const parsed = URL.parse(text);
    if (parsed && schemes.includes(parsed.protocol)) return parsed;
    ctx.addIssue({ code: "custom", message: `must be a URL such as ${example}` });
    return z.NEVER;
  });

const hotBagsUrl = url(["https:", "http:"], "https://shop.example")
  .refine(
    (url) => url.protocol === "https:" || isLoopback(url.hostname),
    "must be https: the token and customers' messages go there",
  )
  .refine((url) => url.username === "" && url.password === "", "must not hold a user name or password")
  .refine((url) => url.search === "" && url.hash === "", "must not have a query or fragment: the path is added to it");

const gatewayUrl = url(["ws:", "wss:"], "ws://127.0.0.1:18789").refine(
  (url) => url.protocol === "wss:" || isLoopback(url.hostname),
  "must be on loopback, or wss://",
);

const webhookUrl = url(["https:", "http:"], "https://alerts.example/hook")
  .refine((url) => url.protocol === "https:" || isLoopback(url.hostname), "must be https, or on loopback")
  .refine((url) => url.username === "" && url.password === "", "must not hold a user name or password");

/** `127.0.0.1:18790`, `[::1]:18790` or `unix:/run/hotbags/bridge.sock`. */
const listenAddress = z.string().transform((text, ctx): ListenAddress => {
  if (text.startsWith("unix:/")) return { path: text.slice("unix:".length) };
  const match = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] && port <= 65535) return { host: match[1].replace(/[[\]]/g, ""), port };
  ctx.addIssue({
    code: "custom",
    message: "must be 127.0.0.1:<port>, [::1]:<port> or unix:/<path>: the bridge listens on this machine only",
  });
  return z.NEVER;
});

/** Where Hot Bags takes messages, below its base URL. */
const inboundPath = z
  .string()
  .regex(/^\/[\w.~!$&'()*+,;=:@%/-]{0,1023}$/, "must be a path such as /api/integrations/whatsapp/inbound/")
  .refine((path) => URL.parse(path, "https://shop.example")?.pathname === path, "must be a plain path");

/**
 * A file of headers that hold secrets, such as the one that gets the bridge past a firewall. Whoever may read it may
 * use them, so it must be its owner's alone.
 */
const extraHeadersFile = z.string().transform((path, ctx) => {
  const refuse = (message: string) => {
    ctx.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  try {
    if ((statSync(path).mode & 0o077) !== 0) return refuse("others can read the file: chmod 600 it");
    return parseExtraHeaders(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof ExtraHeadersError) return refuse(error.message);
    return refuse(`the file can't be read (${codeOf(error) || "it failed"})`);
  }
});

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`);

const variables = z.object({
  HOTBAGS_BASE_URL: hotBagsUrl,
  HOTBAGS_INBOUND_PATH: inboundPath.default(INBOUND_PATH),
  HOTBAGS_BEARER_TOKEN: z.string().min(1),
  HOTBAGS_HMAC_DISABLED: z.enum(["true", "false"], "must be true or false").default("true"),
  HOTBAGS_HMAC_SECRET: z.string().min(1).optional(),
  HOTBAGS_EXTRA_HEADERS_FILE: extraHeadersFile.optional(),
  // Seconds. Vercel ends a function after 300 s by default, and says so: its word is worth more than ours.
  HOTBAGS_TIMEOUT: wholeNumber(1, 3_600).default(310),
  OPENCLAW_GATEWAY_URL: gatewayUrl.prefault("ws://127.0.0.1:18789"),
  OPENCLAW_GATEWAY_TOKEN: z.string().min(1),
  BRIDGE_LISTEN: listenAddress.prefault("127.0.0.1:18790"),
  BRIDGE_TOKEN: token,
  BRIDGE_STATE_DIR: z
    .string()
    .min(1)
    .default(join(homedir(), ".local", "state", "hotbags-bridge")),
  BRIDGE_KEEP_TEXTS_DAYS: wholeNumber(1, 3_650).default(30),
  BRIDGE_RETRY_HOURS: wholeNumber(1, 168).default(24),
  BRIDGE_MEDIA_STORE_BYTES: wholeNumber(0, 1024 ** 4).default(DEFAULT_MEDIA_LIMITS.storeBytes),
  // Four thirds of it are sent: more than this could never go.
  BRIDGE_INLINE_MEDIA_BYTES: wholeNumber(0, (MAX_BODY_BYTES / 4) * 3).default(DEFAULT_MEDIA_LIMITS.inlineBytes),
  BRIDGE_CHAT_INTERVAL_MS: wholeNumber(0, 3_600_000).default(0),
  BRIDGE_REPLIES_PER_MINUTE: wholeNumber(0, 6_000).default(0),
  ALERT_WEBHOOK_URL: webhookUrl.optional(),
  ALERT_COMMAND: z.string().max(4_096, "must be at most 4096 characters; put more into a script").optional(),
  BRIDGE_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

export interface Settings {
  hotbags: {
    baseUrl: URL;
    inboundPath: string;
    bearerToken: string;
    hmacSecret: string | null;
    /** Secret. */
    extraHeaders: Readonly<Record<string, string>>;
    timeoutMs: number;
  };
  /** How long a message is tried again before it is a dead letter. */
  maxRetryingMs: number;
  gateway: { url: string; token: string };
  listen: ListenAddress;
  bridgeToken: string;
  stateDir: string;
  keepTextsDays: number;
  media: MediaLimits;
  pace: PaceLimits;
  alerts: AlertSettings;
  logLevel: string;
}

/** Reads the environment. An empty variable counts as unset, as it does for systemd. Throws SettingsError. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = variables.safeParse(given, {
    error: (issue) => (issue.code === "invalid_type" && issue.input === undefined ? "is not set" : undefined),
  });
  if (!parsed.success) throw new SettingsError(describeIssues(parsed.error));
  const env = parsed.data;
  const signed = env.HOTBAGS_HMAC_DISABLED === "false";
  if (signed && env.HOTBAGS_HMAC_SECRET === undefined) {
    throw new SettingsError("HOTBAGS_HMAC_SECRET: is not set, but HOTBAGS_HMAC_DISABLED=false asks for signatures");
  }
  return {
    hotbags: {
      baseUrl: env.HOTBAGS_BASE_URL,
      inboundPath: env.HOTBAGS_INBOUND_PATH,
      bearerToken: env.HOTBAGS_BEARER_TOKEN,
      hmacSecret: signed ? (env.HOTBAGS_HMAC_SECRET ?? null) : null,
      extraHeaders: env.HOTBAGS_EXTRA_HEADERS_FILE ?? {},
      timeoutMs: env.HOTBAGS_TIMEOUT * 1_000,
    },
    maxRetryingMs: env.BRIDGE_RETRY_HOURS * 3_600_000,
    gateway: { url: env.OPENCLAW_GATEWAY_URL.href, token: env.OPENCLAW_GATEWAY_TOKEN },
    listen: env.BRIDGE_LISTEN,
    bridgeToken: env.BRIDGE_TOKEN,
    stateDir: env.BRIDGE_STATE_DIR,
    keepTextsDays: env.BRIDGE_KEEP_TEXTS_DAYS,
    media: { storeBytes: env.BRIDGE_MEDIA_STORE_BYTES, inlineBytes: env.BRIDGE_INLINE_MEDIA_BYTES },
    pace: { chatIntervalMs: env.BRIDGE_CHAT_INTERVAL_MS, perMinute: env.BRIDGE_REPLIES_PER_MINUTE },
    alerts: { webhookUrl: env.ALERT_WEBHOOK_URL ?? null, command: env.ALERT_COMMAND ?? null },
    logLevel: env.BRIDGE_LOG_LEVEL,
  };
}
