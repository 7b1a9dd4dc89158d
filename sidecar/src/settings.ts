import { homedir } from "node:os";
import { join } from "node:path";
import {
  DEFAULT_LOW_DISK_BYTES,
  describeIssues,
  e164,
  INBOUND_PATH,
  isLoopback,
  MAX_BODY_BYTES,
} from "@hotbags/shared";
import { z } from "zod";
import { readSecretFiles } from "./checks/secret-files.ts";
import { readOpeningHours } from "./downtime/opening-hours.ts";
import type { QuietLimits } from "./downtime/quiet-watch.ts";
import type { ListenAddress } from "./intake/listen-address.ts";
import type { AlertSettings } from "./ops/alerts.ts";
import { ExtraHeadersError, parseExtraHeaders } from "./relay/extra-headers.ts";
import { type BrakeLimits, DEFAULT_BRAKE } from "./replies/brake.ts";
import type { PaceLimits } from "./replies/pace.ts";
import { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./store/index.ts";

/** The environment won't do. The message names each variable and what is wrong with it, never its value. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** White space around a secret is never meant: the other side would refuse it, and nobody can see why. */
const secret = z
  .string()
  .min(1)
  .refine(
    (text) => text.trim() === text,
    "begins or ends with a space or a line break; `echo` and editors put one there: write it with printf '%s'",
  );

/** One header line: of anything else the HTTP client complains at each request, with a riddle. */
const token = secret.refine(
  (text) => text.trim() !== text || /^[\x21-\x7e]+$/.test(text),
  "must be visible ASCII characters without a space or a line break in them, as an HTTP header can carry",
);

/** A token that can be guessed protects nothing. */
const guardToken = token.refine(
  (text) => text.trim().length >= 16,
  "must be at least 16 characters; `openssl rand -hex 32` makes one",
);

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

/** Headers that go along with each request, one a line. Secret: one of them may get the bridge past a firewall. */
const extraHeaders = z.string().transform((text, ctx) => {
  try {
    return parseExtraHeaders(text);
  } catch (error) {
    if (!(error instanceof ExtraHeadersError)) throw error;
    ctx.addIssue({ code: "custom", message: error.message });
    return z.NEVER;
  }
});

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`);

/** `+15550001, +15550002`: phone numbers, separated by commas. */
const numbers = z
  .string()
  .transform((text) => text.split(",").map((number) => number.trim()))
  .pipe(z.array(e164));

/** `9-18`, `Mon-Sat 9:30-18`. */
const openingHours = z.string().transform((text, ctx) => {
  const hours = readOpeningHours(text);
  if (hours) return hours;
  ctx.addIssue({
    code: "custom",
    message: "must be hours of this machine's local time, such as 9-18 or Mon-Sat 9:30-18; they end after they begin",
  });
  return z.NEVER;
});

const variables = z.object({
  HOTBAGS_BASE_URL: hotBagsUrl,
  HOTBAGS_INBOUND_PATH: inboundPath.default(INBOUND_PATH),
  HOTBAGS_BEARER_TOKEN: token,
  HOTBAGS_HMAC_DISABLED: z.enum(["true", "false"], "must be true or false").default("true"),
  HOTBAGS_HMAC_SECRET: secret.optional(),
  HOTBAGS_EXTRA_HEADERS: extraHeaders.optional(),
  // Seconds. Vercel ends a function after 300 s by default, and says so: its word is worth more than ours.
  HOTBAGS_TIMEOUT: wholeNumber(1, 3_600).default(310),
  OPENCLAW_GATEWAY_URL: gatewayUrl.prefault("ws://127.0.0.1:18789"),
  OPENCLAW_GATEWAY_TOKEN: secret,
  BRIDGE_LISTEN: listenAddress.prefault("127.0.0.1:18790"),
  BRIDGE_TOKEN: guardToken,
  BRIDGE_STATE_DIR: z
    .string()
    .min(1)
    .default(join(homedir(), ".local", "state", "hotbags-bridge")),
  BRIDGE_KEEP_TEXTS_DAYS: wholeNumber(1, 3_650).default(30),
  BRIDGE_RETRY_HOURS: wholeNumber(1, 168).default(24),
  BRIDGE_MEDIA_STORE_BYTES: wholeNumber(0, 1024 ** 4).default(DEFAULT_MEDIA_LIMITS.storeBytes),
  // Four thirds of it are sent: more than this could never go.
  BRIDGE_INLINE_MEDIA_BYTES: wholeNumber(0, (MAX_BODY_BYTES / 4) * 3).default(DEFAULT_MEDIA_LIMITS.inlineBytes),
  BRIDGE_LOW_DISK_BYTES: wholeNumber(0, 1024 ** 4).default(DEFAULT_LOW_DISK_BYTES),
  BRIDGE_CHAT_INTERVAL_MS: wholeNumber(0, 3_600_000).default(0),
  BRIDGE_REPLIES_PER_MINUTE: wholeNumber(0, 6_000).default(0),
  BRIDGE_CHAT_REPLIES_PER_MINUTE: wholeNumber(0, 6_000).default(DEFAULT_BRAKE.perMinute),
  BRIDGE_CHAT_REPLIES_PER_HOUR: wholeNumber(0, 100_000).default(DEFAULT_BRAKE.perHour),
  BRIDGE_FORMER_NUMBERS: numbers.optional(),
  BRIDGE_QUIET_HOURS: wholeNumber(0, 168).default(0),
  BRIDGE_OPENING_HOURS: openingHours.prefault("9-18"),
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
  /** The operator is told when the disk of `stateDir` has less left; 0: never. */
  lowDiskBytes: number;
  pace: PaceLimits;
  brake: BrakeLimits;
  /** Replies to messages that were written to these numbers may leave from another one. */
  formerNumbers: ReadonlySet<string>;
  quiet: QuietLimits;
  alerts: AlertSettings;
  logLevel: string;
  /** What works, and should be otherwise: a sentence each. */
  warnings: string[];
}

/** Reads the environment, and the secrets that it says are in files. An empty variable counts as unset, as it does for systemd. Throws SettingsError. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const secrets = readSecretFiles(environment);
  if (secrets.problems.length > 0) throw new SettingsError(secrets.problems.join("; "));
  const given = Object.fromEntries(Object.entries(secrets.environment).filter(([, value]) => value !== ""));
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
      extraHeaders: env.HOTBAGS_EXTRA_HEADERS ?? {},
      timeoutMs: env.HOTBAGS_TIMEOUT * 1_000,
    },
    maxRetryingMs: env.BRIDGE_RETRY_HOURS * 3_600_000,
    gateway: { url: env.OPENCLAW_GATEWAY_URL.href, token: env.OPENCLAW_GATEWAY_TOKEN },
    listen: env.BRIDGE_LISTEN,
    bridgeToken: env.BRIDGE_TOKEN,
    stateDir: env.BRIDGE_STATE_DIR,
    keepTextsDays: env.BRIDGE_KEEP_TEXTS_DAYS,
    media: { storeBytes: env.BRIDGE_MEDIA_STORE_BYTES, inlineBytes: env.BRIDGE_INLINE_MEDIA_BYTES },
    lowDiskBytes: env.BRIDGE_LOW_DISK_BYTES,
    pace: { chatIntervalMs: env.BRIDGE_CHAT_INTERVAL_MS, perMinute: env.BRIDGE_REPLIES_PER_MINUTE },
    brake: { perMinute: env.BRIDGE_CHAT_REPLIES_PER_MINUTE, perHour: env.BRIDGE_CHAT_REPLIES_PER_HOUR },
    formerNumbers: new Set(env.BRIDGE_FORMER_NUMBERS),
    quiet: { afterMs: env.BRIDGE_QUIET_HOURS * 3_600_000, hours: env.BRIDGE_OPENING_HOURS },
    alerts: { webhookUrl: env.ALERT_WEBHOOK_URL ?? null, command: env.ALERT_COMMAND ?? null },
    logLevel: env.BRIDGE_LOG_LEVEL,
    warnings: secrets.warnings,
  };
}
