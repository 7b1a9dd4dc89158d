import { accountId, chatId, e164, MAX_PAUSE_SECONDS } from "@hotbags/shared";
import { z } from "zod";

// The operator API's requests and answers. docs/operator-api.md is made from these.

/** Before every path. A change that breaks a reader gets another number. */
export const API_PREFIX = "/api/v1";

/** Rows of a list in one answer, at most. */
export const MAX_LIMIT = 500;

/** Messages that one request may send again or discard. */
export const MAX_IDS = 100;

export const MESSAGE_STATES = ["pending", "detached", "delivered", "dead", "discarded"] as const;
export const COMMAND_STATES = [
  "pending",
  "sending",
  "sent",
  "queued_by_gateway",
  "in_doubt",
  "failed",
  "skipped",
] as const;

const time = z.iso.datetime({ offset: true });
const id = z.int().positive().max(Number.MAX_SAFE_INTEGER);

/** A number in a path or a query. */
const numeral = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`);

const idNumeral = numeral(1, Number.MAX_SAFE_INTEGER);

/** `dead,discarded`. */
const listOf = <const Names extends readonly string[]>(names: Names) =>
  z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(names, `must be some of ${names.join(", ")}, separated by commas`)));

const page = {
  limit: numeral(1, MAX_LIMIT).optional(),
  before: idNumeral.optional(),
};

const filter = {
  ...page,
  chat: chatId.optional(),
  since: time.optional(),
};

/** A switch in a query. */
const flag = z.enum(["true", "false"], "must be true or false").optional();

const next = id.nullable();

/** What stands between them, and can't be read: the numbers of what may belong into the list. */
const unreadable = z.array(id);

const message = z.object({
  id,
  message_id: z.string(),
  account_id: z.string(),
  chat_id: z.string(),
  state: z.enum(MESSAGE_STATES),
  received_at: time,
  settled_at: time.nullable(),
  attempts: z.int(),
  next_attempt_at: time.nullable(),
  status: z.int().nullable(),
  last_error: z.string().nullable(),
  /** Why it waits just now, of one that does; null: it is about to go. */
  waits_for: z.string().nullable().optional(),
  /** When it, or Hot Bags, is tried again, where that is known. */
  waits_until: time.nullable().optional(),
});

const command = z.object({
  id,
  command_id: z.string().nullable(),
  message: id,
  message_id: z.string(),
  account_id: z.string(),
  chat_id: z.string(),
  type: z.string().nullable(),
  state: z.enum(COMMAND_STATES),
  created_at: time,
  sending_at: time.nullable(),
  settled_at: time.nullable(),
  whatsapp_message_id: z.string().nullable(),
  is_partial: z.boolean(),
  reason: z.string().nullable(),
});

const attempt = z.object({
  attempt: z.int(),
  at: time,
  duration_ms: z.int().nullable(),
  status: z.int().nullable(),
  error: z.string().nullable(),
});

const wholeMessage = message.extend({
  failed_attempts: z.array(attempt),
  failed_count: z.int(),
  /** Who sent it again, and when. */
  retries: z.array(z.object({ at: time, who: z.string() })),
  duration_ms: z.int().nullable(),
  commands: z.array(command),
  /** With `content=true` only. */
  request: z.unknown().optional(),
  response: z.unknown().optional(),
});

const repaired = z.object({ id, done: z.boolean(), reason: z.string().nullable() });

const ids = z.object({ ids: z.array(id).min(1).max(MAX_IDS) });

const audit = z.object({
  id,
  at: time,
  who: z.string(),
  action: z.string(),
  kind: z.enum(["message", "command", "chat", "settings", "restore", "backup"]),
  /** 0: there is none, or but one. */
  subject: z.int().nonnegative(),
  /** Of a chat, masked; null: of anything else, or it is forgotten. */
  chat: z.string().nullable(),
  result: z.string(),
});

const SOURCES = ["environment", "env_file", "file", "credential", "default"] as const;

const settingValue = {
  /** Null: it is not set. A secret is never shown. */
  value: z.string().nullable(),
  source: z.enum(SOURCES).nullable(),
  /** Of the file that it is from. */
  path: z.string().nullable(),
};

const setting = z.object({
  name: z.string(),
  ...settingValue,
  secret: z.boolean(),
  /** A reload takes a change over; of others, a restart does. */
  reloadable: z.boolean(),
  /** What is written now, where it is not what is in use. */
  written: z.object(settingValue).nullable(),
});

export type Message = z.output<typeof message>;
export type WholeMessage = z.output<typeof wholeMessage>;
export type Command = z.output<typeof command>;
export type AuditEntry = z.output<typeof audit>;
export type RepairResult = z.output<typeof repaired>;

const chat = { account_id: accountId, chat_id: chatId };

const pausedChat = z.object({
  ...chat,
  /** Who paused it. */
  by: z.enum(["hotbags", "operator"]),
  replies: z.enum(["hold", "skip"]),
  until: time,
  waiting: z.int(),
});
export type PausedChat = z.output<typeof pausedChat>;

const finding = z.object({
  check: z.string(),
  level: z.enum(["ok", "warn", "fail", "skipped"]),
  seen: z.string(),
  advice: z.string().nullable(),
});
export type NamedFinding = z.output<typeof finding>;

const account = z.object({
  account_id: z.string(),
  /** `connected`, `logged_out`, …: see AccountCode. */
  state: z.string(),
  sentence: z.string(),
});
export type Account = z.output<typeof account>;

/** A code as a PNG in base64. */
const MAX_QR_CHARACTERS = 50_000;

const loginStep = z.object({
  /** `scan`: there is a (new) code; `waiting`: nobody has scanned it yet. */
  state: z.enum(["connected", "scan", "waiting", "failed"]),
  qr: z.string().nullable(),
  reason: z.string().nullable(),
});
export type LoginState = z.output<typeof loginStep>;

const alert = z.object({
  id: z.string(),
  /** As in the table of docs/alerts.md. */
  kind: z.string(),
  subject: z.string(),
  severity: z.enum(["critical", "warning", "info"]),
  title: z.string(),
  text: z.string(),
  since: time,
  /** Null: it lasts. */
  ended: time.nullable(),
  /** How often it went away and came back. */
  returns: z.int(),
});
export type Alert = z.output<typeof alert>;

const testedChannel = z.object({
  /** `log`, or the setting that it comes from. */
  channel: z.string(),
  ok: z.boolean(),
  reason: z.string().nullable(),
});
export type TestedChannel = z.output<typeof testedChannel>;

/** What an answer is that is not the one asked for. */
export const refusal = z.object({ error: z.string() });

interface Route {
  method: "GET" | "POST";
  /** Below API_PREFIX; `:id` is a number. */
  path: string;
  /** What it does, as a sentence. */
  about: string;
  /** It changes something, or leaves a line in the audit: only a running sidecar does it. */
  changes: boolean;
  /** Of the query, or of the JSON body. */
  input: z.ZodType;
  output: z.ZodType;
}

const lastFailure = z.object({ at: time, message_id: z.string(), reason: z.string() }).nullable();

/** Of the database: the same whether a sidecar runs or not. What else there is, only one that runs knows. */
const statusCounts = {
  messages: z.looseObject({
    ...{ accepted: z.int(), delivered: z.int(), pending: z.int(), detached: z.int(), dead: z.int() },
    ...{ discarded: z.int(), last_detached: lastFailure, last_dead: lastFailure },
    oldest_wait_ms: z.number().optional(),
  }),
  commands: z.looseObject({
    ...{ pending: z.int(), sending: z.int(), sent: z.int(), in_doubt: z.int(), failed: z.int(), skipped: z.int() },
    ...{ done: z.int(), paused_chats: z.int(), last_failed: lastFailure },
    oldest_wait_ms: z.number().optional(),
  }),
};

/** All that can be asked. */
export const ROUTES = {
  status: {
    method: "GET",
    path: "/status",
    about: "The version, and what `GET /health` says",
    changes: false,
    input: z.object({}),
    output: z.looseObject({ version: z.string(), ok: z.boolean(), problems: z.array(z.string()), ...statusCounts }),
  },
  messages: {
    method: "GET",
    path: "/messages",
    about:
      "Messages, newest first. `since`: received since then; of dead letters and discarded ones, settled since then",
    changes: false,
    input: z.object({
      ...filter,
      state: listOf(MESSAGE_STATES).optional(),
      message_id: z.string().max(512).optional(),
    }),
    output: z.object({ messages: z.array(message), next, unreadable }),
  },
  message: {
    method: "GET",
    path: "/messages/:id",
    about: "The whole life of a message. `content=true`: with what was said in it, which leaves a line in the audit",
    changes: false,
    input: z.object({ content: flag }),
    output: wholeMessage,
  },
  retry: {
    method: "POST",
    path: "/messages/retry",
    about: "Dead letters wait for delivery again: with their own keys and bytes, in their places, with all their time",
    changes: true,
    input: ids,
    output: z.object({ results: z.array(repaired) }),
  },
  discard: {
    method: "POST",
    path: "/messages/discard",
    about: "Dead letters are done with: their texts and files are deleted, their keys stay",
    changes: true,
    input: ids,
    output: z.object({ results: z.array(repaired) }),
  },
  commands: {
    method: "GET",
    path: "/commands",
    about: "Commands of Hot Bags, newest first. `since`: come back since then",
    changes: false,
    input: z.object({
      ...filter,
      state: listOf(COMMAND_STATES).optional(),
      command_id: z.string().max(512).optional(),
    }),
    output: z.object({ commands: z.array(command), next, unreadable }),
  },
  command: {
    method: "GET",
    path: "/commands/:id",
    about:
      "One command, and what OpenClaw said of it (`said`). `content=true`: with its text, and with what `said` quotes of what was said, which leaves a line in the audit",
    changes: false,
    input: z.object({ content: flag }),
    output: command.extend({
      /** With `content=true` only. */
      text: z.string().nullable().optional(),
      /** What it says besides, such as the message that it quotes. */
      details: z.unknown().optional(),
      /** How large the file is that came with it. */
      file_bytes: z.int().nullable().optional(),
      /** How OpenClaw put why it was not sent; without `content=true`, without what it quotes of what was said. */
      said: z.string().nullable(),
      /** Why it waits just now, of one that does; null: it is about to go. */
      waits_for: z.string().nullable().optional(),
    }),
  },
  resolve: {
    method: "POST",
    path: "/commands/:id/resolve",
    about: "What became of a command in doubt: `sent`; or what is to become of it: `resend`, `discard`",
    changes: true,
    input: z.object({ as: z.enum(["sent", "resend", "discard"], "must be sent, resend or discard") }),
    output: repaired,
  },
  pausedChats: {
    method: "GET",
    path: "/chats/paused",
    about: "Chats that are paused, those that end first before the others. `waiting`: replies that wait there",
    changes: false,
    input: z.object({}),
    output: z.object({ chats: z.array(pausedChat) }),
  },
  pause: {
    method: "POST",
    path: "/chats/pause",
    about: "No reply goes out in a chat for a while: they are held until its end, or skipped",
    changes: true,
    input: z.object({
      ...chat,
      for_seconds: z.int().min(1).max(MAX_PAUSE_SECONDS),
      replies: z.enum(["hold", "skip"], "must be hold or skip"),
    }),
    /** `is_new`: nothing has come from there yet. */
    output: z.object({ until: time, is_new: z.boolean() }),
  },
  resume: {
    method: "POST",
    path: "/chats/resume",
    about: "Every pause of a chat is over, Hot Bags' too",
    changes: true,
    input: z.object(chat),
    output: z.object({ was_paused: z.boolean() }),
  },
  config: {
    method: "GET",
    path: "/config",
    about:
      "The settings in use, and where each is from. `written`: what would be read now, where that differs; `mistakes`: what is wrong with it",
    changes: false,
    input: z.object({}),
    output: z.object({ env_file: z.string().nullable(), settings: z.array(setting), mistakes: z.array(z.string()) }),
  },
  reload: {
    method: "POST",
    path: "/config/reload",
    about:
      "The settings are read again, and taken over without a restart, but for those in `needs_restart`. With `mistakes` nothing is",
    changes: true,
    input: z.object({}),
    output: z.object({
      changed: z.array(z.string()),
      needs_restart: z.array(z.string()),
      mistakes: z.array(z.string()),
    }),
  },
  diagnose: {
    method: "POST",
    path: "/doctor",
    about:
      "Looks at all that the bridge needs, as `hotbags doctor` shows it. `test_alert`: an alert is sent for a test; nothing else changes",
    changes: false,
    input: z.object({ test_alert: z.boolean().optional() }),
    output: z.object({ findings: z.array(finding) }),
  },
  accounts: {
    method: "GET",
    path: "/accounts",
    about: "The WhatsApp accounts of the gateway. `problem`: why they are not known, in a sentence",
    changes: false,
    input: z.object({}),
    output: z.object({ accounts: z.array(account), problem: z.string().nullable() }),
  },
  startLogin: {
    method: "POST",
    path: "/accounts/login",
    about:
      "Links a WhatsApp account anew: OpenClaw forgets the link that it has. Refused for one that is connected, or may be. `qr`: a PNG as a data URL, to be scanned with the phone; whoever scans it first has the account's messages",
    changes: false,
    input: z.object({ account_id: accountId }),
    output: loginStep,
  },
  waitLogin: {
    method: "POST",
    path: "/accounts/login/wait",
    about: "Waits for some seconds until the code `qr` is scanned, or WhatsApp has another one in its place",
    changes: false,
    input: z.object({ account_id: accountId, qr: z.string().max(MAX_QR_CHARACTERS) }),
    output: loginStep,
  },
  alerts: {
    method: "GET",
    path: "/alerts",
    about: "What the operator was told of: what lasts, the oldest first, and what is over, the newest first",
    changes: false,
    input: z.object({ limit: numeral(1, MAX_LIMIT).optional() }),
    output: z.object({ open: z.array(alert), past: z.array(alert) }),
  },
  testAlerts: {
    method: "POST",
    path: "/alerts/test",
    about:
      "A notice that says it is a test goes every way that is set, the heartbeat too, and what came of it is the answer. Takes 10 s where nobody answers",
    changes: false,
    input: z.object({}),
    output: z.object({ channels: z.array(testedChannel) }),
  },
  forget: {
    method: "POST",
    path: "/forget",
    about:
      "Forgets a customer: texts, files and ids, and the number itself. It goes on for a second at a time: ask again with `after` as `next` says, and `left` and `forgotten` added up, until `next` is null. What waits, or is in doubt, stays, unless `including_waiting`: then messages become dead letters, replies fail, and both are forgotten. What is being sent stays. `dry_run` only counts",
    changes: true,
    input: z.object({
      number: e164,
      after: z.int().nonnegative().optional(),
      left: z.int().nonnegative().optional(),
      forgotten: z.int().nonnegative().optional(),
      including_waiting: z.boolean().optional(),
      dry_run: z.boolean().optional(),
    }),
    output: z.object({
      found: z.object({
        messages: z.int(),
        waiting: z.int(),
        dead: z.int(),
        replies_waiting: z.int(),
        replies_in_doubt: z.int(),
        replies_being_sent: z.int(),
        files: z.int(),
      }),
      forgotten: z.int(),
      left: z.int(),
      next: id.nullable(),
      progress: z.number(),
      number_gone: z.boolean(),
      log_cleared: z.boolean(),
    }),
  },
  backedUp: {
    method: "POST",
    path: "/backups",
    about:
      "A backup was made of the state folder, `hotbags backup` says, which reads the files itself; how large it is in `bytes`",
    changes: true,
    input: z.object({ bytes: z.int().nonnegative() }),
    output: z.object({}),
  },
  audit: {
    method: "GET",
    path: "/audit",
    about: "Who did what, newest first. `since`: since then",
    changes: false,
    input: z.object({ ...page, since: time.optional() }),
    output: z.object({ entries: z.array(audit), next }),
  },
} as const satisfies Record<string, Route>;

const happened = z.object({
  at: time,
  kind: z.enum(["message", "command"]),
  /** Its number. */
  id,
  what: z.enum([
    ...(["accepted", "attempt_failed", "delivered", "dead", "waits_again", "discarded"] as const),
    ...COMMAND_STATES,
  ]),
  account_id: z.string(),
  /** Masked. */
  chat: z.string(),
  message_id: z.string().nullable(),
  command_id: z.string().nullable(),
  reason: z.string().nullable(),
});

/** The reader was too slow for so many. */
const missed = z.object({ at: time, kind: z.literal("missed"), count: z.int().positive() });

/** The one answer that does not end: a line for each thing that happens, as JSON. */
export const EVENTS = {
  method: "GET",
  path: "/events",
  about:
    "What happens from now on, one JSON object a line (application/x-ndjson), once it is on disk. It ends with the sidecar; what happens before the next one is not told. `missed`: so many were not, because the reader was too slow. 16 readers at most",
  changes: false,
  input: z.object({ chat: chatId.optional() }),
  output: z.union([happened, missed]),
} as const satisfies Route;
export type EventFilter = z.output<typeof EVENTS.input>;
export type LiveEvent = z.input<typeof EVENTS.output>;

export type RouteName = keyof typeof ROUTES;
export type Input<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["input"]>;
export type Output<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["output"]>;
/** As it is written into a query or a body. */
export type RawInput<Name extends RouteName> = z.input<(typeof ROUTES)[Name]["input"]>;
