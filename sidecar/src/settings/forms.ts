import { homedir } from "node:os";
import { e164, isLoopback } from "@hotbags/shared";
import * as z from "zod";
import { MAX_SECRET_BYTES } from "../checks/secret-files.ts";
import { readOpeningHours } from "../downtime/opening-hours.ts";
import type { ListenAddress } from "../listening/listen-address.ts";
import { ExtraHeadersError, parseExtraHeaders } from "../relay/extra-headers.ts";
import { bytesOfWebhookSecret } from "../relay/webhook-signature.ts";

// How the text of a setting must look, what it becomes, and the words for it (`description`), which the docs show.

/** White space around a secret is never meant: the other side would refuse it, and nobody can see why. */
export const secret = z
  .string()
  .min(1)
  .refine(
    (text) => text.trim() === text,
    "begins or ends with a space or a line break; `echo` and editors put one there: write it with printf '%s'",
  )
  .describe("text without white space around it");

/** One header line: of anything else the HTTP client complains at each request, with a riddle. */
export const token = secret
  .refine(
    (text) => text.trim() !== text || /^[\x21-\x7e]+$/.test(text),
    "must be visible ASCII characters without a space or a line break in them, as an HTTP header can carry",
  )
  .describe("visible ASCII characters without a space");

/** As Standard Webhooks writes it down. */
export const webhookSecret = secret
  .refine(
    (text) => text.trim() !== text || bytesOfWebhookSecret(text) !== undefined,
    "must be whsec_ and the base64 of 24 to 64 bytes; `echo whsec_$(openssl rand -base64 32)` makes one",
  )
  .describe("`whsec_` and the base64 of 24 to 64 bytes");

/** A token that can be guessed protects nothing. */
export const guardToken = token
  .refine((text) => text.trim().length >= 16, "must be at least 16 characters; `openssl rand -hex 32` makes one")
  .describe("16 or more visible ASCII characters without a space");

/** What `read` makes of the text; where that is nothing, what it must be. */
const readBy = <Value>(read: (text: string) => Value | undefined, mustBe: string) =>
  z.string().transform((text, ctx): Value => {
    const value = read(text);
    if (value !== undefined) return value;
    ctx.addIssue({ code: "custom", message: mustBe });
    return z.NEVER;
  });

/** A URL of one of these schemes; anything else, with the example of a good one. */
const url = (schemes: string[], example: string) =>
  readBy((text) => {
    const parsed = URL.parse(text);
    return parsed && schemes.includes(parsed.protocol) ? parsed : undefined;
  }, `must be a URL such as ${example}`);

/** It would be shown wherever the URL is. */
const NO_PASSWORD = "must not hold a user name or password";
const hasPassword = ({ username, password }: URL) => username !== "" || password !== "";

export const hotBagsUrl = url(["https:", "http:"], "https://shop.example")
  .refine(
    (url) => url.protocol === "https:" || isLoopback(url.hostname),
    "must be https: the token and customers' messages go there",
  )
  .refine((url) => !hasPassword(url), NO_PASSWORD)
  .refine((url) => url.search === "" && url.hash === "", "must not have a query or fragment: the path is added to it")
  .describe("`https://…`, or `http://…` on loopback");

export const gatewayUrl = url(["ws:", "wss:"], "ws://127.0.0.1:18789")
  .refine((url) => url.protocol === "wss:" || isLoopback(url.hostname), "must be on loopback, or wss://")
  .refine((url) => !hasPassword(url), NO_PASSWORD)
  .describe("`ws://…` on loopback, or `wss://…`");

export const webhookUrl = url(["https:", "http:"], "https://alerts.example/hook")
  .refine((url) => url.protocol === "https:" || isLoopback(url.hostname), "must be https, or on loopback")
  .refine((url) => !hasPassword(url), NO_PASSWORD)
  .describe("`https://…`, or `http://…` on loopback");

/** It is shown. */
export const plainUrl = url(["https:", "http:"], "https://releases.example/latest.json")
  .refine((url) => url.protocol === "https:" || isLoopback(url.hostname), "must be https, or on loopback")
  .refine((url) => !hasPassword(url), NO_PASSWORD)
  .describe("`https://…`, or `http://…` on loopback");

/** Schemes by which node-postgres knows an address; libpq takes both as well. */
const DATABASE = /^postgres(ql)?:\/\//;

/** What of an address would be understood as something else, or sends customers' messages in the clear. */
function whyNoDatabase(text: string): string | undefined {
  if (!DATABASE.test(text))
    return "must begin with postgres:// or postgresql://, such as postgres://user:password@host/database";
  // Where the host is in the query, as that of a socket can be, node-postgres lets it be empty before that.
  const whole = URL.parse(text);
  const parsed = whole ?? URL.parse(text.replace("@/", "@in-the-query/"));
  if (!parsed || !isDecodable(parsed))
    return "is no address that can be read: in the user name and the password, write # as %23, % as %25, / as %2F, : as %3A, @ as %40 and ? as %3F";
  if (parsed.hash !== "") return "must not have a # in it: in the password, write it as %23";
  const { hostname, pathname, searchParams } = parsed;
  const host = searchParams.get("host") ?? (whole ? decodeURIComponent(hostname) : "");
  if (pathname.length < 2) return "names no database: postgres://user:password@host/database";
  if (host === "") return "names no host: postgres://user:password@host/database";
  if (host.includes(",")) return "must name one host: the one that takes writes, or a pooler in front of it";
  const mode = searchParams.get("sslmode");
  if (mode !== null && !SSL_MODES.includes(mode)) return `has an unknown sslmode: it is one of ${inWords(SSL_MODES)}`;
  const isHere = host.startsWith("/") || isLoopback(host) || isLoopback(`[${host}]`);
  if (!isHere && mode === null && !searchParams.has("ssl"))
    return "goes over a network, and says nothing of encryption: add ?sslmode=verify-full, or ?sslmode=disable where nobody can listen";
  return undefined;
}

const SSL_MODES = ["verify-full", "verify-ca", "require", "no-verify", "disable"];

function isDecodable({ username, password, pathname, hostname }: URL): boolean {
  try {
    for (const part of [username, password, pathname, hostname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** Secret: the password is in it. */
export const databaseUrl = secret
  .superRefine((text, ctx) => {
    const why = text.trim() === text ? whyNoDatabase(text) : undefined;
    if (why !== undefined) ctx.addIssue({ code: "custom", message: why });
  })
  .describe("`postgres://user:password@host/database`, as node-postgres takes it");

/** It is shown, and stands in a database beside those of others. */
export const instanceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, "must be letters, digits, dots, hyphens and underscores, at most 63")
  .describe("letters, digits, `.`, `-` and `_`");

export const listenAddress = readBy((text): ListenAddress | undefined => {
  if (text.startsWith("unix:/")) return { path: text.slice("unix:".length) };
  const match = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  return match?.[1] && port <= 65535 ? { host: match[1].replace(/[[\]]/g, ""), port } : undefined;
}, "must be 127.0.0.1:<port>, [::1]:<port> or unix:/<path>: the bridge listens on this machine only").describe(
  "`127.0.0.1:<port>`, `[::1]:<port>` or `unix:/<path>`",
);

/** For those who can't ask at a socket. */
export const portAddress = listenAddress
  .transform((address, ctx) => {
    if (!("path" in address)) return address;
    ctx.addIssue({ code: "custom", message: "must be a port, 127.0.0.1:<port> or [::1]:<port>" });
    return z.NEVER;
  })
  .describe("`127.0.0.1:<port>`, `[::1]:<port>`");

/** By which a browser knows a page: nothing comes behind the port. */
export const pageOrigin = url(["https:"], "https://console.shop.example")
  .refine((url) => url.href === `${url.origin}/`, "must be an origin, such as https://console.shop.example")
  .describe("`https://…`, with no path");

export const inboundPath = z
  .string()
  .regex(/^\/[\w.~!$&'()*+,;=:@%/-]{0,1023}$/, {
    error: "must be a path that begins with a slash, such as /api/whatsapp",
    abort: true,
  })
  .refine(
    (path) => URL.parse(path, "https://shop.example")?.pathname === path,
    "must be a path as it goes out, without // or .. in it",
  )
  .describe("`/path`");

/** Secret: one of them may get the bridge past a firewall. */
export const extraHeaders = z
  .string()
  .max(MAX_SECRET_BYTES, `must be at most ${MAX_SECRET_BYTES} characters`)
  .transform((text, ctx) => {
    try {
      return parseExtraHeaders(text);
    } catch (error) {
      if (!(error instanceof ExtraHeadersError)) throw error;
      ctx.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  })
  .describe("one `Name: value` a line");

export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`)
    .describe(`${least} to ${most}`);

export const numbers = z
  .string()
  .transform((text) => text.split(",").map((number) => number.trim()))
  .pipe(z.array(e164))
  .describe("phone numbers in E.164, separated by commas: `+15550001,+15550002`");

export const openingHours = readBy(
  readOpeningHours,
  "must be hours of this machine's local time, such as 9-18 or Mon-Sat 9:30-18; they end after they begin",
).describe("`9-18`, `Mon-Sat 9:30-18`");

/** `~/` is the home folder of the sidecar's user. */
export const folder = z
  .string()
  .transform((path) => path.replace(/^~(?=\/)/, homedir()))
  .describe("a path");

export const shellCommand = z
  .string()
  .max(4_096, "must be at most 4096 characters; put more into a script")
  .describe("a command line for `sh`");

export const oneOf = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words, `must be ${inWords(words)}`).describe(inWords(words.map((word) => `\`${word}\``)));

/** Some of these words, separated by commas. */
export const listOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z
    .string()
    .transform((text) => text.split(",").map((word) => word.trim()))
    .pipe(z.array(z.enum(words, `must be of ${inWords(words)}, separated by commas`)))
    .describe(`of ${inWords(words.map((word) => `\`${word}\``))}, separated by commas`);

function inWords(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" or ");
}
