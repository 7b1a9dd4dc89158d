import type { Finding } from "./evidence.ts";
import { adviceForRedirect } from "./redirect.ts";
import type { Symptom } from "./symptom.ts";

/**
 * Whose fault a failure is, if it meets every message. `gate`: that of a login or firewall before Hot Bags. `machine`:
 * that of the one that the sidecar runs on.
 */
export type Fault = "credentials" | "gate" | "address" | "backend" | "contract" | "machine" | "nobody";

/** What is to be known of one kind of failure. docs/contract/README.md has the same as a table, printed from here. */
export interface Rule {
  /** A short name for logs and tests. */
  readonly name: string;
  /** Which answers it is for, as the contract names them. */
  readonly answer: string;
  readonly matches: (symptom: Symptom) => boolean;
  /** Whose fault it is if it meets different messages and none passes. */
  readonly fault: Fault;
  /**
   * What it says of other messages: `certain`: all would meet it; `maybe`: it needs a second message to tell;
   * `nothing`: it is about this one.
   */
  readonly scope: "certain" | "maybe" | "nothing";
  /** It steps aside when it has failed this often more after others had passed meanwhile; Infinity: never. */
  readonly patience: number;
  /** The operator is told when it has lasted this long, ms, and not of what passes by itself. */
  readonly alarmAfterMs: number;
  /** It is told at the first time already, also of a single message: no repetition will mend it. */
  readonly alarmAtOnce?: true;
  /** What the operator is to do, after what was seen. */
  readonly advice: (symptom: Symptom) => string;
}

const TOKEN =
  "check HOTBAGS_BEARER_TOKEN and, if they are on, HOTBAGS_HMAC_SECRET and HOTBAGS_WEBHOOK_SECRET (that one with this machine's clock)";
const BYPASS = "or send its bypass header (HOTBAGS_EXTRA_HEADERS)";
const ANSWER = 'answer {} or {"commands": [...]} as JSON';
const MINUTE_MS = 60_000;

const is =
  (...statuses: number[]) =>
  ({ status, trouble }: Symptom) =>
    trouble === null && status !== null && statuses.includes(status);
const between = (from: number, to: number) => (symptom: Symptom) =>
  symptom.trouble === null && symptom.status !== null && symptom.status >= from && symptom.status <= to;
const has = (trouble: Symptom["trouble"]) => (symptom: Symptom) => symptom.trouble === trouble;

/** Kinds of failures by what they have in common. */
const WRONG_ADDRESS = { fault: "address", scope: "maybe", patience: 2, alarmAfterMs: 0 } as const;
const GATE = { fault: "gate", scope: "maybe", patience: 2, alarmAfterMs: 0 } as const;
const CREDENTIALS = { fault: "credentials", scope: "maybe", patience: 2, alarmAfterMs: 0 } as const;
const UNWELL = { fault: "backend", scope: "maybe", patience: 3, alarmAfterMs: MINUTE_MS } as const;
const REFUSED = { fault: "contract", scope: "maybe", patience: 1, alarmAfterMs: 0 } as const;
const MISSPOKEN = { fault: "contract", scope: "maybe", patience: 1, alarmAfterMs: 0, alarmAtOnce: true } as const;

/** The first that matches counts. */
export const RULES: readonly Rule[] = [
  {
    ...{ name: "tls", answer: "no connection: TLS fails, mostly over the certificate", matches: has("tls") },
    ...{ fault: "address", scope: "certain", patience: Number.POSITIVE_INFINITY, alarmAfterMs: 0 },
    advice: () => "renew the certificate, or correct HOTBAGS_BASE_URL or this machine's clock",
  },
  {
    ...{
      name: "descriptors",
      answer: "(none was asked: no file descriptor was left here)",
      matches: has("descriptors"),
    },
    ...{ fault: "machine", scope: "certain", patience: Number.POSITIVE_INFINITY, alarmAfterMs: 0 },
    advice: () =>
      "see what holds so many open (ls -l /proc/<pid>/fd), and raise the limit: LimitNOFILE in the sidecar's unit, or fs.file-max",
  },
  {
    ...{ name: "unreachable", answer: "no connection: refused, unknown host, no route", matches: has("unreachable") },
    ...{ fault: "backend", scope: "certain", patience: Number.POSITIVE_INFINITY, alarmAfterMs: MINUTE_MS },
    advice: () => "see whether Hot Bags runs, and whether HOTBAGS_BASE_URL and this machine's network are right",
  },
  {
    ...{ name: "file", answer: "(none was asked: a file of the message could not be read here)", matches: has("file") },
    ...{ fault: "nobody", scope: "nothing", patience: Number.POSITIVE_INFINITY, alarmAfterMs: MINUTE_MS },
    advice: () => "look at the disk",
  },
  {
    ...{ name: "continue", answer: "100 (Continue) that nobody asked for", matches: has("continue"), ...UNWELL },
    advice: () => "switch it off in Hot Bags, or in the proxy in front of it",
  },
  {
    ...{ name: "not-http", answer: "what is not HTTP", matches: has("not-http"), ...WRONG_ADDRESS },
    advice: () => "this is not Hot Bags' address, or not its port: correct HOTBAGS_BASE_URL",
  },
  {
    ...{ name: "headers", answer: "more than 16 KiB of headers", matches: has("headers"), ...REFUSED },
    advice: () => "see which headers Hot Bags, or a proxy in front of it, answers with, mostly cookies",
  },
  {
    ...{ name: "timeout", answer: "none within HOTBAGS_TIMEOUT", matches: has("timeout"), ...UNWELL, patience: 1 },
    advice: () => "see what Hot Bags is busy with; HOTBAGS_TIMEOUT sets how long it may take",
  },
  {
    ...{ name: "broken", answer: "a connection that breaks before its end", matches: has("broken"), ...UNWELL },
    advice: () => "see Hot Bags' own log, and that of the proxy in front of it",
  },
  {
    ...{ name: "page", answer: "a 2xx with a web page", matches: has("page"), ...WRONG_ADDRESS },
    advice: () => "this address is not Hot Bags: correct HOTBAGS_BASE_URL or HOTBAGS_INBOUND_PATH",
  },
  {
    ...{ name: "failure", answer: 'a 2xx with `"success": false`, `"ok": false` or an `error`, and no `commands`' },
    ...{ matches: has("failure"), ...UNWELL, alarmAfterMs: 0, alarmAtOnce: true },
    advice: () => `see Hot Bags' own log; where there is nothing to do, ${ANSWER}, and a 5xx where it failed`,
  },
  {
    ...{ name: "contract", answer: "any other 2xx that is not what is described here", matches: has("contract") },
    ...MISSPOKEN,
    advice: () => `nothing of it is executed: ${ANSWER} (docs/contract)`,
  },
  {
    ...{ name: "vercel-login", answer: "401 or 3xx of Vercel's login (`_vercel_sso_nonce`, vercel.com/sso-api)" },
    ...{ matches: ({ isVercelLogin }) => isVercelLogin, ...GATE },
    advice: () => `not the token: Vercel's Deployment Protection asks for a login; switch it off there, ${BYPASS}`,
  },
  {
    ...{ name: "vercel-firewall", answer: "403 or 429 with `x-vercel-mitigated`" },
    ...{ matches: ({ isVercelFirewall }) => isVercelFirewall, ...GATE },
    advice: () => `not the token: Vercel's Firewall stopped it; let the bridge pass there, ${BYPASS}`,
  },
  {
    ...{ name: "redirect", answer: "3xx", matches: between(300, 399), ...WRONG_ADDRESS },
    advice: ({ url, location }) => `redirects are never followed; ${adviceForRedirect(url, location)}`,
  },
  {
    ...{ name: "token", answer: "401, 407", matches: is(401, 407), ...CREDENTIALS },
    advice: () => `it refuses the credentials: ${TOKEN}`,
  },
  {
    ...{ name: "forbidden", answer: "403", matches: is(403), ...CREDENTIALS },
    advice: () => `it refuses the credentials, or a firewall refuses the bridge: ${TOKEN}, and the firewall`,
  },
  {
    ...{ name: "switched-off", answer: "402", matches: is(402), ...WRONG_ADDRESS },
    advice: () => "the host has switched Hot Bags off, mostly for a bill or a limit: see its dashboard",
  },
  {
    ...{ name: "not-here", answer: "404, 405, 410, 421, 501, 508, 530", ...WRONG_ADDRESS },
    matches: is(404, 405, 410, 421, 501, 508, 530),
    advice: () => "this address is not Hot Bags, or not any more: correct HOTBAGS_BASE_URL or HOTBAGS_INBOUND_PATH",
  },
  {
    ...{ name: "in-progress", answer: "409: the first request with this key still runs", matches: is(409) },
    ...{ fault: "backend", scope: "nothing", patience: 9, alarmAfterMs: 10 * MINUTE_MS },
    advice: () => "see what Hot Bags is busy with, or which lock it left behind",
  },
  {
    ...{ name: "too-large", answer: "413", matches: is(413), ...REFUSED },
    advice: () => "raise Hot Bags' limit for bodies to 4.5 MB, or lower BRIDGE_INLINE_MEDIA_BYTES",
  },
  {
    // Mostly no message's own fault: it waits in its place, for some minutes at least.
    ...{ name: "busy", answer: "429", matches: is(429), ...UNWELL, patience: 9 },
    advice: () => "raise Hot Bags' limit of requests",
  },
  {
    ...{ name: "unwell", answer: "408, 425, any other 5xx", ...UNWELL },
    matches: (symptom) => is(408, 425)(symptom) || between(500, 599)(symptom),
    advice: () => "see Hot Bags' own log",
  },
  {
    ...{ name: "refused", answer: "any other 4xx (400, 415, 422, 451, ...)", matches: () => true, ...REFUSED },
    advice: () => "see Hot Bags' own log for what it does not take",
  },
];

export function ruleFor(symptom: Symptom): Rule {
  return RULES.find(({ matches }) => matches(symptom)) as Rule;
}

/** What follows from a failure, by what the evidence says. The words are for docs/contract/README.md. */
export interface Consequence {
  /** The attempt counts towards the message's hours. */
  readonly counts: boolean;
  /** The message leaves its chat's lane. */
  readonly leaves: boolean;
  readonly words: {
    readonly evidence: string;
    readonly fault: string;
    readonly message: string;
    readonly chat: string;
    readonly others: string;
    readonly hours: string;
    readonly health: string;
    readonly alert: string;
  };
}

export const CONSEQUENCES: Readonly<Record<Finding, Consequence>> = {
  unknown: {
    counts: true,
    leaves: false,
    words: {
      evidence: "it failed, and nobody knows more yet",
      fault: "unknown",
      message: "is tried again after its wait",
      chat: "waits",
      others: "go on",
      hours: "count",
      health: "`last_failure`",
      alert: "none; of a 2xx that is not understood, an alarm in the log, at once",
    },
  },
  deployment: {
    counts: false,
    leaves: false,
    words: {
      evidence: "different messages fail and none passes, or there is no connection at all",
      fault: "as the other table says",
      message: "waits",
      chat: "waits",
      others: "wait; single probes, of another message each where there is one, find out when it is over",
      hours: "stand still",
      health: "`reachable: false`, with the sentence",
      alert: "`hot_bags`, when a probe has failed too: what was seen, where, to how many, what to do",
    },
  },
  message: {
    counts: true,
    leaves: true,
    words: {
      evidence: "it fails again and again while others pass",
      fault: "this message's",
      message: "steps aside: it is tried again apart from its chat, one of a chat at a time and 4 in all",
      chat: "goes on without it",
      others: "go on",
      hours: "count",
      health: "`detached`, `last_detached`",
      alert: "none; an alarm in the log for the message: what was seen, what to do",
    },
  },
  alone: {
    counts: true,
    leaves: false,
    words: {
      evidence: "it fails again and again, and there is no other message to compare with",
      fault: "unknown",
      message: "is tried again after its wait",
      chat: "its next message is asked as a witness: if that passes, the first is asked once more at once, and steps aside if it fails",
      others: "go on",
      hours: "count",
      health: "a problem, with the sentence",
      alert: "none; an alarm in the log, which says that it may be this message alone",
    },
  },
};
