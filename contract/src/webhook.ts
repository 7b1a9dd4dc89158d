/** Before the base64 of a secret, and of the bytes that it stands for at least. */
const PREFIX = "whsec_";
const LEAST_BYTES = 24;

/** Before each signature: HMAC-SHA256. */
const VERSION = "v1,";

/** How far a request's time may be from this machine's, seconds, in both directions. */
export const WEBHOOK_TOLERANCE_SECONDS = 300;

/** The three headers of Standard Webhooks. */
export interface WebhookHeaders {
  "webhook-id": string;
  "webhook-timestamp": string;
  "webhook-signature": string;
}

/** What `Request.headers` is, or `request.headers` of node:http and all that is built on it. */
type HeadersOfRequest = WebHeaders | NodeHeaders;
interface WebHeaders {
  get(name: string): string | null;
}
type NodeHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

interface Options {
  /** Default: WEBHOOK_TOLERANCE_SECONDS. */
  toleranceSeconds?: number;
  /** Unix milliseconds. Default: now. */
  now?: number;
}

/**
 * Whether a request is signed as Standard Webhooks 1.0 says, and lately: one that somebody has recorded and sends again
 * later is refused. `rawBody` is what came over the wire, before any JSON.parse. `secret`: HOTBAGS_WEBHOOK_SECRET; or
 * several, of which one must fit. A request may have several signatures, too. Compares in constant time, by the Web
 * Crypto API. Throws where a secret is none, for anybody could sign by an empty one.
 */
export async function verifyWebhook(
  rawBody: string | Uint8Array,
  headers: HeadersOfRequest,
  secret: string | readonly string[],
  { toleranceSeconds = WEBHOOK_TOLERANCE_SECONDS, now = Date.now() }: Options = {},
): Promise<boolean> {
  const keys = await Promise.all([secret].flat().map((one) => keyOf(one, "verify")));
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    headerIn(headers, `webhook-${name}`),
  );
  if (!id || !timestamp || !signatures || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(now / 1_000 - Number(timestamp)) > toleranceSeconds) return false;
  const signed = signedBytes(id, timestamp, rawBody);
  const given = signatures.split(" ").flatMap((one) => digestIn(one) ?? []);
  const checks = keys.flatMap((key) => given.map((digest) => crypto.subtle.verify("HMAC", key, digest, signed)));
  return (await Promise.all(checks)).includes(true);
}

/** The headers that sign a body: for tests of one's own. `at`: Unix milliseconds; default: now. */
export async function signWebhook(
  id: string,
  rawBody: string | Uint8Array,
  secret: string | readonly string[],
  at: number = Date.now(),
): Promise<WebhookHeaders> {
  const timestamp = String(Math.floor(at / 1_000));
  const signed = signedBytes(id, timestamp, rawBody);
  const signatures = [secret].flat().map(async (one) => {
    const digest = await crypto.subtle.sign("HMAC", await keyOf(one, "sign"), signed);
    return VERSION + btoa(String.fromCharCode(...new Uint8Array(digest)));
  });
  return {
    ...{ "webhook-id": id, "webhook-timestamp": timestamp },
    "webhook-signature": (await Promise.all(signatures)).join(" "),
  };
}

/** Undefined: it is not there, or not once. */
function headerIn(headers: HeadersOfRequest, name: string): string | undefined {
  const value = isWeb(headers) ? headers.get(name) : headers[name];
  return typeof value === "string" ? value : undefined;
}

function isWeb(headers: HeadersOfRequest): headers is WebHeaders {
  // A header of that name has a text.
  return typeof headers["get"] === "function";
}

/** What is signed: `<id>.<timestamp>.<body>`. */
function signedBytes(id: string, timestamp: string, rawBody: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const [begin, body] = [encoder.encode(`${id}.${timestamp}.`), rawBody];
  const rest = typeof body === "string" ? encoder.encode(body) : body;
  const bytes = new Uint8Array(begin.length + rest.length);
  bytes.set(begin);
  bytes.set(rest, begin.length);
  return bytes;
}

function keyOf(secret: string, use: "sign" | "verify") {
  const bytes = secret.startsWith(PREFIX) ? bytesIn(secret.slice(PREFIX.length)) : undefined;
  if (!bytes || bytes.length < LEAST_BYTES)
    throw new Error(`a secret for webhooks is ${PREFIX} and the base64 of ${LEAST_BYTES} bytes or more`);
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [use]);
}

function digestIn(signature: string): Uint8Array<ArrayBuffer> | undefined {
  return signature.startsWith(VERSION) ? bytesIn(signature.slice(VERSION.length)) : undefined;
}

/** Undefined: it is no base64. */
function bytesIn(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
