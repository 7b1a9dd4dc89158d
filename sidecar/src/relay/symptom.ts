/**
 * What of a failed attempt tells whose fault it is. `rules.ts` judges it; nothing here holds a word of the customer's
 * or of the backend's, only statuses, names of errors and addresses.
 */
export interface Symptom {
  /** Null: there was no answer. */
  readonly status: number | null;
  /** What there was instead of an answer, or what is wrong with it; null: its status alone is. */
  readonly trouble: Trouble | null;
  /** What was seen, as the beginning of a sentence: "Hot Bags answered 404". */
  readonly seen: string;
  /** Where it was seen. */
  readonly url: URL;
  /** Where a redirect leads; null where there is none, or one that can't be read. */
  readonly location: URL | null;
  /** Vercel's own word for what went wrong, such as DEPLOYMENT_NOT_FOUND. */
  readonly vercelError: string | null;
  /** Vercel's login stood in the way (Deployment Protection). */
  readonly isVercelLogin: boolean;
  /** Vercel's firewall stood in the way. */
  readonly isVercelFirewall: boolean;
  /** How long it asks to wait, ms. */
  readonly retryAfterMs: number | undefined;
}

/**
 * - `unreachable`: no connection came about. `tls`: it did, but not its encryption.
 * - `descriptors`: this process, or the machine, has no file descriptor left for a connection.
 * - `broken`: the connection broke before the end of the answer. `continue`: over a 100 that nobody asked for.
 * - `not-http`: what came back is not HTTP. `headers`: an answer with more headers than are read.
 * - `timeout`: no answer in time.
 * - `file`: a file of the message could not be read here.
 * - `page`: a 2xx with a web page. `failure`: a 2xx that says itself that it failed. `contract`: another 2xx that is
 *   not what the contract says.
 */
export const TROUBLES = [
  "unreachable",
  "tls",
  "descriptors",
  "broken",
  "continue",
  "not-http",
  "headers",
  "timeout",
  "file",
  "page",
  "failure",
  "contract",
] as const;
export type Trouble = (typeof TROUBLES)[number];

type Header = string | string[] | undefined;
export type Headers = Readonly<Record<string, Header>>;

const NO_ANSWER = { status: null, location: null, vercelError: null, retryAfterMs: undefined } as const;

/** There was no answer. */
export function withoutAnswer(trouble: Trouble, seen: string, url: URL): Symptom {
  return { ...NO_ANSWER, trouble, seen, url, isVercelLogin: false, isVercelFirewall: false };
}

/** There was an answer; `body` says what is wrong with a 2xx. */
export function ofAnswer(
  status: number,
  headers: Headers,
  url: URL,
  retryAfterMs?: number,
  body?: { trouble: Trouble; what: string },
): Symptom {
  const location = locationOf(headers, url);
  const vercelError = wordIn(headers, "x-vercel-error", /^[A-Z]{2,24}(_[A-Z]{1,24}){0,6}$/);
  const named = vercelError === null ? "" : ` (x-vercel-error: ${vercelError})`;
  return {
    status,
    trouble: body?.trouble ?? null,
    seen: `Hot Bags answered ${status}${named}${body ? ` with ${body.what}` : ""}`,
    url,
    location,
    vercelError,
    isVercelLogin: isLogin(headers, location),
    isVercelFirewall: wordIn(headers, "x-vercel-mitigated", /^[a-z_-]{1,32}$/) !== null,
    retryAfterMs,
  };
}

/** A header whose value is a word that we know the shape of: anything else is not repeated. */
function wordIn(headers: Headers, name: string, shape: RegExp): string | null {
  const value = String(headers[name] ?? "").trim();
  return shape.test(value) ? value : null;
}

function locationOf(headers: Headers, url: URL): URL | null {
  const location = headers["location"];
  return typeof location === "string" ? URL.parse(location, url.href) : null;
}

/** Vercel's login answers 401 with this cookie, or sends to its own host. */
function isLogin(headers: Headers, location: URL | null): boolean {
  const cookies = [headers["set-cookie"] ?? []].flat();
  return cookies.some((cookie) => cookie.startsWith("_vercel_sso_nonce=")) || isVercelLoginAt(location);
}

function isVercelLoginAt(location: URL | null): boolean {
  return location?.hostname === "vercel.com" && /^\/(sso-api|login)\b/.test(location.pathname);
}
