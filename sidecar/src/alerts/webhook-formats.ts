import type { Notice } from "./notice.ts";

/** What a webhook takes: `ALERT_WEBHOOK_FORMAT`. */
export const FORMATS = ["json", "slack", "mattermost", "discord", "teams", "ntfy"] as const;
export type Format = (typeof FORMATS)[number];

/** Before each text that lands among those of others. */
const SENDER = "Hot Bags bridge";

/** Longest texts that are taken. Slack cuts at 40,000 and folds long before; ntfy makes a file of more bytes. */
const MAX_SLACK_CHARS = 4_000;
const MAX_MATTERMOST_CHARS = 4_000;
const MAX_DISCORD_CHARS = 2_000;
const MAX_TEAMS_CHARS = 4_000;
const MAX_NTFY_BYTES = 4_000;

/** Which service a host belongs to. `teams`: its workflows, and the connectors before them. */
const HOSTS: readonly (readonly [RegExp, Format])[] = [
  [/(^|\.)slack(-gov)?\.com$/, "slack"],
  [/(^|\.)(discord|discordapp)\.com$/, "discord"],
  [/\.webhook\.office\.com$|\.logic\.azure\.(com|us)$|\.powerplatform\.com$/, "teams"],
  [/(^|\.)ntfy\.sh$/, "ntfy"],
];

/** The format that an address asks for; what is known of none gets plain JSON. */
export function formatFor({ hostname, pathname }: URL): Format {
  const format = HOSTS.find(([host]) => host.test(hostname))?.[1] ?? "json";
  // Discord takes Slack's as well, at an address of its own.
  return format === "discord" && /\/slack\/?$/.test(pathname) ? "slack" : format;
}

/** What is POSTed. */
export interface Post {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The notice as the service takes it: cut where it takes no more, and without power over those who read it. */
export function postOf(format: Format, notice: Notice): Post {
  return POSTS[format](notice);
}

const POSTS: Readonly<Record<Format, (notice: Notice) => Post>> = {
  json: ({ text, kind, id, state, severity, title, since, details }) =>
    json({ ...details, text, alert: kind, id, state, severity, title, since }),
  slack: (notice) => json({ text: cut(escapeForSlack(lineOf(notice)), MAX_SLACK_CHARS) }),
  mattermost: (notice) => json({ text: cut(lineOf(notice), MAX_MATTERMOST_CHARS) }),
  // Nobody is paged by a name in it: allowed_mentions.
  discord: (notice) => json({ content: cut(lineOf(notice), MAX_DISCORD_CHARS), allowed_mentions: { parse: [] } }),
  teams: (notice) => json({ type: "message", attachments: [teamsCard(notice)] }),
  ntfy: (notice) => ({
    headers: {
      "content-type": "text/plain; charset=utf-8",
      title: ascii(`${SENDER}: ${notice.title}`),
      priority: PRIORITIES[notice.state === "over" ? "info" : notice.severity],
      tags: notice.state === "over" ? "white_check_mark" : "warning",
    },
    body: cutBytes(notice.text, MAX_NTFY_BYTES),
  }),
};

/** ntfy's: 5 rings through, 3 is the default. */
const PRIORITIES = { critical: "5", warning: "4", info: "3" } as const;

/** Microsoft's schema of adaptive cards; what a workflow with "when a webhook request is received" posts on. */
function teamsCard(notice: Notice) {
  const block = (text: string, more: object = {}) => ({ type: "TextBlock", text, wrap: true, ...more });
  const color = notice.state === "over" ? "Good" : notice.severity === "critical" ? "Attention" : "Warning";
  return {
    contentType: "application/vnd.microsoft.card.adaptive",
    contentUrl: null,
    content: {
      $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
      type: "AdaptiveCard",
      version: "1.4",
      body: [
        block(`${SENDER}: ${notice.title}`, { weight: "Bolder", color }),
        block(cut(notice.text, MAX_TEAMS_CHARS)),
      ],
    },
  };
}

function json(body: object): Post {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function lineOf({ text }: Notice): string {
  return `${SENDER}: ${text}`;
}

/** docs.slack.dev: these three are its control characters; with them, a text could call a whole channel. */
function escapeForSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** At most so many UTF-16 units, no surrogate pair torn apart. */
function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function cutBytes(text: string, bytes: number): string {
  const all = Buffer.from(text);
  if (all.length <= bytes) return text;
  // A character that is cut in two ends up as a replacement character.
  return `${all
    .subarray(0, bytes - 3)
    .toString("utf8")
    .replace(/\ufffd$/, "")}…`;
}

/** What a header can carry. */
function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
