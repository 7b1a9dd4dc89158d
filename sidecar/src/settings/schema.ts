import {
  DEFAULT_LOW_DISK_BYTES,
  EVENTS_PATH,
  INBOUND_PATH,
  MAX_BODY_BYTES,
  OUTBOX_PATH,
  REPORTS_PATH,
} from "@hotbags/shared";
import type { z } from "zod";
import { FORMATS } from "../alerts/webhook-formats.ts";
import { EXTRAS } from "../commands/index.ts";
import { DEFAULT_BRAKE } from "../replies/brake.ts";
import { DEFAULT_MEDIA_LIMITS } from "../store/index.ts";
import {
  databaseUrl,
  extraHeaders,
  folder,
  gatewayUrl,
  guardToken,
  hotBagsUrl,
  inboundPath,
  instanceName,
  listenAddress,
  listOf,
  numbers,
  oneOf,
  openingHours,
  pageOrigin,
  plainUrl,
  portAddress,
  secret,
  shellCommand,
  token,
  webhookSecret,
  webhookUrl,
  wholeNumber,
} from "./forms.ts";

/** One setting of the sidecar. */
export interface Setting {
  /** What it is, as a sentence without its full stop. */
  about: string;
  /** What its text must look like, and becomes. Its `description` says that to people. */
  form: z.ZodType<unknown, string>;
  /** The sidecar does not start without it. */
  required?: true;
  /** The text that counts where none is given. */
  default?: string;
  /** Never shown; it can be in a file or in a credential of systemd. */
  secret?: true;
  /** A reload takes a change over; of the others, a restart does. */
  reloadable?: true;
}

/** One way to write a rule down: each setting, in the order in which the docs and `hotbags config` show them. */
export const SETTINGS = {
  HOTBAGS_BASE_URL: {
    about: "The shop's backend",
    form: hotBagsUrl,
    required: true,
  },
  HOTBAGS_INBOUND_PATH: {
    about: "Where it takes messages, below its base URL",
    form: inboundPath,
    default: INBOUND_PATH,
  },
  HOTBAGS_REPORTS_PATH: {
    about: `Where it takes delivery reports, below its base URL, such as \`${REPORTS_PATH}\`. Not set: none are made`,
    form: inboundPath,
    reloadable: true,
  },
  HOTBAGS_EVENTS_PATH: {
    about: `Where it takes events, such as a downtime, below its base URL, such as \`${EVENTS_PATH}\`. Not set: none are made`,
    form: inboundPath,
    reloadable: true,
  },
  HOTBAGS_OUTBOX_PATH: {
    about: "Where it has what it sends without being asked, below its base URL. Asked for with `BRIDGE_OUTBOUND` only",
    form: inboundPath,
    default: OUTBOX_PATH,
    reloadable: true,
  },
  HOTBAGS_OUTBOX_SECONDS: {
    about: "Seconds that it may wait there until it has something (long poll)",
    form: wholeNumber(1, 120),
    default: "20",
    reloadable: true,
  },
  HOTBAGS_BEARER_TOKEN: {
    about: "The token that Hot Bags is shown",
    form: token,
    required: true,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_BEARER_TOKEN_PREVIOUS: {
    about: "While the token is replaced: the former one, which is shown at once when Hot Bags refuses the new one",
    form: token,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_HMAC_DISABLED: {
    about: "`false`: every request is signed",
    form: oneOf("true", "false"),
    default: "true",
    reloadable: true,
  },
  HOTBAGS_HMAC_SECRET: {
    about: "The key to sign with",
    form: secret,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_HMAC_SECRET_PREVIOUS: {
    about:
      "While the key is replaced: the former one, with which a request is signed that Hot Bags refused with the new",
    form: secret,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_WEBHOOK_SECRET: {
    about:
      "The key to sign every request with as Standard Webhooks does, with its time, also beside the other signature",
    form: webhookSecret,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_WEBHOOK_SECRET_PREVIOUS: {
    about: "While that key is replaced: the former one, which signs every request as well",
    form: webhookSecret,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_EXTRA_HEADERS: {
    about: "Headers to send along with every request, such as `x-vercel-protection-bypass`",
    form: extraHeaders,
    secret: true,
    reloadable: true,
  },
  HOTBAGS_COMMANDS: {
    about: "What Hot Bags may use besides the commands that every bridge takes; the header `X-HotBags-Accept` tells it",
    form: listOf(EXTRAS),
    reloadable: true,
  },
  HOTBAGS_TIMEOUT: {
    about: "Seconds that an answer may take",
    form: wholeNumber(1, 3_600),
    // Vercel ends a function after 300 s by default, and says so: its word is worth more than ours.
    default: "310",
    reloadable: true,
  },
  OPENCLAW_GATEWAY_URL: {
    about: "OpenClaw's gateway",
    form: gatewayUrl,
    default: "ws://127.0.0.1:18789",
  },
  OPENCLAW_GATEWAY_TOKEN: {
    about: "The gateway's token (`gateway.auth.token`)",
    form: secret,
    required: true,
    secret: true,
    reloadable: true,
  },
  BRIDGE_LISTEN: {
    about: "Where the plugin connects, and `GET /health` and `GET /metrics` answer",
    form: listenAddress,
    default: "127.0.0.1:18790",
  },
  BRIDGE_METRICS_LISTEN: {
    about:
      "Where `GET /health` and `GET /metrics` answer besides: for Prometheus, where `BRIDGE_LISTEN` is a socket. Not set: nowhere",
    form: portAddress,
  },
  BRIDGE_CONSOLE: {
    about:
      "Where the owner's page answers, such as `127.0.0.1:18791`: `hotbags console` prints a link to it. Not set: nowhere",
    form: portAddress,
  },
  BRIDGE_CONSOLE_ORIGIN: {
    about: "By which a browser knows that page, where a reverse proxy stands before it",
    form: pageOrigin,
  },
  BRIDGE_CONSOLE_READ_ONLY: {
    about: "`true`: nobody can change anything there",
    form: oneOf("true", "false"),
    default: "false",
  },
  BRIDGE_TOKEN: {
    about: "The token that the plugin has to show",
    form: guardToken,
    required: true,
    secret: true,
    reloadable: true,
  },
  BRIDGE_TOKEN_PREVIOUS: {
    about: "While the token is replaced: the former one, which the plugin may still show",
    form: guardToken,
    secret: true,
    reloadable: true,
  },
  BRIDGE_STATE_DIR: {
    about: "Where the queue and the attachments are kept",
    form: folder,
    default: "~/.local/state/hotbags-bridge",
  },
  BRIDGE_STORE: {
    about:
      "A PostgreSQL (15 or newer) to keep the queue in, so that several sidecars can share it. Attachments stay in `BRIDGE_STATE_DIR`. Not set: SQLite there",
    form: databaseUrl,
    secret: true,
  },
  BRIDGE_INSTANCE: {
    about: "By which people know this sidecar among those that share a PostgreSQL. Not set: the host's name",
    form: instanceName,
  },
  BRIDGE_RETRY_HOURS: {
    about: "Hours after which a message that always fails is a dead letter",
    form: wholeNumber(1, 168),
    default: "24",
    reloadable: true,
  },
  BRIDGE_KEEP_TEXTS_DAYS: {
    about: "Days until texts and files are forgotten, from when their message was delivered",
    form: wholeNumber(1, 3_650),
    default: "14",
    reloadable: true,
  },
  BRIDGE_KEEP_KEYS_DAYS: {
    about: "Days until keys and command ids are forgotten, by which what comes twice is known; not before the text is",
    // OpenClaw hands a message in again within 7.
    form: wholeNumber(8, 3_650),
    default: "90",
    reloadable: true,
  },
  BRIDGE_KEEP_DEAD_LETTERS_DAYS: {
    about:
      "Days until a dead letter that nobody has done anything about is discarded: its text and files are forgotten",
    form: wholeNumber(1, 3_650),
    default: "90",
    reloadable: true,
  },
  BRIDGE_MEDIA_STORE_BYTES: {
    about: "Most bytes of attachments that are kept; where that is used up, delivered ones go first",
    form: wholeNumber(0, 1024 ** 4),
    default: String(DEFAULT_MEDIA_LIMITS.storeBytes),
    reloadable: true,
  },
  BRIDGE_INLINE_MEDIA_BYTES: {
    about: "Most bytes of attachments that go along with a message, before base64; 0: none",
    // Four thirds of it are sent: more than this could never go.
    form: wholeNumber(0, (MAX_BODY_BYTES / 4) * 3),
    default: String(DEFAULT_MEDIA_LIMITS.inlineBytes),
    reloadable: true,
  },
  BRIDGE_LOW_DISK_BYTES: {
    about: "An alert is raised when the disk of the state has fewer bytes left; 0: never",
    form: wholeNumber(0, 1024 ** 4),
    default: String(DEFAULT_LOW_DISK_BYTES),
    reloadable: true,
  },
  BRIDGE_CHAT_INTERVAL_MS: {
    about: "Least time between two replies in one chat, ms",
    form: wholeNumber(0, 3_600_000),
    default: "0",
    reloadable: true,
  },
  BRIDGE_REPLIES_PER_MINUTE: {
    about: "Most replies a minute over all chats; 0: no limit",
    form: wholeNumber(0, 6_000),
    default: "0",
    reloadable: true,
  },
  BRIDGE_CHAT_REPLIES_PER_MINUTE: {
    about: "The brake: what one chat gets beyond so many replies within a minute waits, with an alert; 0: no limit",
    form: wholeNumber(0, 6_000),
    default: String(DEFAULT_BRAKE.perMinute),
    reloadable: true,
  },
  BRIDGE_CHAT_REPLIES_PER_HOUR: {
    about: "The same within an hour",
    form: wholeNumber(0, 100_000),
    default: String(DEFAULT_BRAKE.perHour),
    reloadable: true,
  },
  BRIDGE_OUTBOUND: {
    about:
      "Whether Hot Bags may send without being asked, by its outbox: `known`, to chats that have written lately; `any`, to others too. WhatsApp bans numbers that write to strangers",
    form: oneOf("off", "known", "any"),
    default: "off",
    reloadable: true,
  },
  BRIDGE_OUTBOUND_KNOWN_HOURS: {
    about: "Hours for which a chat is known after its last message",
    form: wholeNumber(1, 720),
    default: "24",
    reloadable: true,
  },
  BRIDGE_OUTBOUND_PER_MINUTE: {
    about: "Most commands of the outbox that an account sends in a minute; 0: no limit",
    form: wholeNumber(0, 6_000),
    default: "6",
    reloadable: true,
  },
  BRIDGE_OUTBOUND_NEW_CHATS_PER_DAY: {
    about: "With `BRIDGE_OUTBOUND=any`: most chats that are not known to which it may write first within a day",
    form: wholeNumber(0, 1_000),
    default: "10",
    reloadable: true,
  },
  BRIDGE_FORMER_NUMBERS: {
    about:
      "Numbers that the shop had before: replies to what was written to them may leave from the number that is linked now; else they wait",
    form: numbers,
    reloadable: true,
  },
  BRIDGE_QUIET_HOURS: {
    about:
      "An alert is raised when no message has come in for so many opening hours, though all is connected; 0: never",
    form: wholeNumber(0, 168),
    default: "0",
    reloadable: true,
  },
  BRIDGE_OPENING_HOURS: {
    about: "When customers write, in local time",
    form: openingHours,
    default: "9-18",
    reloadable: true,
  },
  HEALTH_MAX_WAIT: {
    about: "Minutes that a message or reply may wait before `/health` is red, and an alert is raised",
    form: wholeNumber(1, 1_440),
    default: "5",
    reloadable: true,
  },
  ALERT_WEBHOOK_URL: {
    about: "Where alerts are posted",
    form: webhookUrl,
    secret: true,
    reloadable: true,
  },
  ALERT_COMMAND: {
    about: "A shell command that gets an alert's text on its standard input",
    form: shellCommand,
    secret: true,
    reloadable: true,
  },
  ALERT_WEBHOOK_FORMAT: {
    about: "What the webhook takes; where it is not set, the host says it, and one that is not known gets `json`",
    form: oneOf(...FORMATS),
    reloadable: true,
  },
  ALERT_HEARTBEAT_URL: {
    about: "What is asked for once a minute while all is well, such as a check of healthchecks.io",
    form: webhookUrl,
    secret: true,
    reloadable: true,
  },
  ALERT_REPEAT_HOURS: {
    about: "Hours after which an alert that lasts is told again; 0: never",
    form: wholeNumber(0, 168),
    default: "4",
    reloadable: true,
  },
  ALERT_DOWN_MINUTES: {
    about: "Minutes that WhatsApp, the gateway or the plugin may be away before an alert is raised",
    form: wholeNumber(0, 1_440),
    default: "3",
    reloadable: true,
  },
  ALERT_CALM_SECONDS: {
    about: "Seconds that something must be over before that is told",
    form: wholeNumber(0, 3_600),
    default: "60",
    reloadable: true,
  },
  BRIDGE_RELEASES_URL: {
    about:
      "Where `hotbags releases` learns of the bridge's newest release: JSON with its `version`, or `tag_name` as GitHub has it",
    form: plainUrl,
    reloadable: true,
  },
  BRIDGE_NPM_REGISTRY: {
    about: "Where `hotbags releases` learns of OpenClaw's newest release",
    form: plainUrl,
    default: "https://registry.npmjs.org",
    reloadable: true,
  },
  BRIDGE_LOG_LEVEL: {
    about: "What is logged",
    form: oneOf("debug", "info", "warn", "error"),
    default: "info",
    reloadable: true,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;

/** A setting that has a value whenever all is well. */
type Always = { required: true } | { default: string };

/** What the texts of all settings become. */
export type Values = {
  [Name in SettingName]:
    | z.output<(typeof SETTINGS)[Name]["form"]>
    | ((typeof SETTINGS)[Name] extends Always ? never : undefined);
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** The same without the type of each one's own. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS[name];
}
