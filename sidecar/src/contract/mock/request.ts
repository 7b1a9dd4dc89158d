import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import {
  type BridgeEvent,
  bridgeEvent,
  CONTRACT_VERSION,
  type DeliveryReport,
  deliveryReport,
  MAX_BODY_BYTES,
  type RequestBody,
  requestBody,
} from "@hotbags/shared";
import type { z } from "zod";

// The Hot Bags contract as its backend reads it: what it sees of a request is judged by the contract's schema, never by
// how the sidecar makes one.

const USER_AGENT = /^hotbags-bridge\/\d+\.\d+\.\d+(-[\w.]+)?$/;
/** Recorded, but no reason to refuse: a backend without HMAC doesn't look at the header. */
const UNASKED_SIGNATURE = "X-HotBags-Signature was sent although HMAC is disabled";
const UNASKED_WEBHOOK = "webhook-signature was sent although there is no HOTBAGS_WEBHOOK_SECRET";
const UNASKED: ReadonlySet<string> = new Set([UNASKED_SIGNATURE, UNASKED_WEBHOOK]);
/** How far the time of a request may be from ours, seconds (Standard Webhooks). */
const TOLERANCE_SECONDS = 300;
/** Every bridge takes these three; what else it takes follows. */
const ACCEPT = /^send_text, pause_chat, resume_chat(, [a-z_]+)*$/;
const JSON_TYPE = /^application\/json(; ?charset=utf-8)?$/i;

/** The body as the contract has it, and each file is what is said of it. */
const message = requestBody.superRefine(({ media }, context) => {
  for (const [position, item] of media.entries())
    for (const message of itemBreaches(item)) context.addIssue({ code: "custom", path: ["media", position], message });
});

function itemBreaches({ data_base64, omitted, size_bytes, sha256 }: RequestBody["media"][number]): string[] {
  const breaches: string[] = [];
  if ((data_base64 === undefined) === (omitted === undefined)) {
    breaches.push("has neither or both of data_base64 and omitted");
  }
  if (data_base64 === undefined) return breaches;
  const bytes = Buffer.from(data_base64, "base64");
  if (bytes.length !== size_bytes) breaches.push("size_bytes is not its bytes'");
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) breaches.push("sha256 is not its bytes'");
  return breaches;
}

/** The body of a request to Hot Bags. */
export type Message = RequestBody;

/** `token` null: any bearer will do. `webhookSecret`: as Standard Webhooks writes it. */
export type Secrets = { token: string | null; hmacSecret?: string; webhookSecret?: string };

/** What the checks found. With `refusal` Hot Bags answers that status and does nothing; `violations` are kept in any case. */
export type Verdict = { violations: string[]; refusal: number | undefined; message: Message | undefined };

/** Checks one request as the backend would: bearer, signature, headers, then the body. Never throws. */
export function checkRequest(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets): Verdict {
  const { body, ...of } = checkPost(message, ({ message_id }) => message_id, headers, rawBody, secrets);
  const accept = acceptBreaches(headers);
  const refusal = of.refusal ?? (accept.length > 0 ? 422 : undefined);
  return { violations: [...of.violations, ...accept], refusal, message: body };
}

/** The same of a delivery report. */
export function checkReport(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets): Checked<DeliveryReport> {
  return checkPost(deliveryReport, ({ report_id }) => report_id, headers, rawBody, secrets);
}

/** And of an event. */
export function checkEvent(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets): Checked<BridgeEvent> {
  return checkPost(bridgeEvent, ({ event_id }) => event_id, headers, rawBody, secrets);
}

/** As a verdict is. */
export type Checked<Body> = Omit<Verdict, "message"> & { body: Body | undefined };

function checkPost<Body extends { transport_session_id: string }>(
  schema: z.ZodType<Body>,
  keyOf: (body: Body) => string,
  headers: IncomingHttpHeaders,
  rawBody: Buffer,
  secrets: Secrets,
): Checked<Body> {
  const unauthorized = credentialBreaches(headers, rawBody, secrets);
  const { body, violations: wrong } = parse(schema, rawBody);
  const violations = [
    ...unauthorized,
    ...headerBreaches(headers, body && keyOf(body), body?.transport_session_id),
    ...wrong,
  ];
  if (rawBody.length > MAX_BODY_BYTES)
    violations.push(`body has ${rawBody.length} bytes, at most ${MAX_BODY_BYTES} go`);
  return { violations, refusal: refusalFor(unauthorized, violations, rawBody), body };
}

/** What a HEAD is answered with, and how it breaks the contract. One without a token is none of these. */
export function checkPing(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets) {
  const violations = USER_AGENT.test(headers["user-agent"] ?? "") ? [] : [`User-Agent is ${headers["user-agent"]}`];
  if (rawBody.length > 0) violations.push("a HEAD has no body");
  for (const name of ["idempotency-key", "x-idempotency-key", "x-transport-session-id", "content-type"])
    if (headers[name] !== undefined) violations.push(`${name} was sent`);
  if (headers.authorization === undefined) return { status: 401, violations };
  const breaches = credentialBreaches(headers, rawBody, secrets);
  return { status: breaches.length > 0 ? 401 : 204, violations };
}

/** What is found of a question for the outbox. */
export type PollVerdict = Pick<Verdict, "violations" | "refusal">;

/** Checks one: it has no key, and no body that could be signed. */
export function checkPoll(headers: IncomingHttpHeaders, secrets: Secrets): PollVerdict {
  const unauthorized = credentialBreaches(headers, Buffer.alloc(0), secrets);
  const violations = [...unauthorized, ...acceptBreaches(headers)];
  for (const name of ["idempotency-key", "x-idempotency-key", "x-transport-session-id", "content-type"])
    if (headers[name] !== undefined) violations.push(`${name} was sent`);
  const version = headers["x-hotbags-contract"];
  if (version !== String(CONTRACT_VERSION)) violations.push(`X-HotBags-Contract is ${version ?? "missing"}`);
  if (!USER_AGENT.test(headers["user-agent"] ?? "")) violations.push(`User-Agent is ${headers["user-agent"]}`);
  return { violations, refusal: refusalFor(unauthorized, violations, Buffer.alloc(0)) };
}

function refusalFor(unauthorized: string[], violations: string[], rawBody: Buffer): number | undefined {
  if (rawBody.length > MAX_BODY_BYTES) return 413;
  if (unauthorized.some((breach) => !UNASKED.has(breach))) return 401;
  return violations.some((breach) => !UNASKED.has(breach)) ? 422 : undefined;
}

function credentialBreaches(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets): string[] {
  return [
    ...bearerBreaches(headers, secrets.token),
    ...signatureBreaches(headers, rawBody, secrets),
    ...webhookBreaches(headers, rawBody, secrets),
  ];
}

function bearerBreaches(headers: IncomingHttpHeaders, token: string | null): string[] {
  const given = headers.authorization;
  if (given === undefined) return ["Authorization is missing"];
  if (token === null) return /^Bearer \S/.test(given) ? [] : ["Authorization is no bearer token"];
  return equalInConstantTime(given, `Bearer ${token}`) ? [] : ["Authorization is not the bearer token"];
}

function signatureBreaches(headers: IncomingHttpHeaders, rawBody: Buffer, { hmacSecret }: Secrets): string[] {
  const given = headers["x-hotbags-signature"];
  if (hmacSecret === undefined) return given === undefined ? [] : [UNASKED_SIGNATURE];
  if (typeof given !== "string") return ["X-HotBags-Signature is missing"];
  const expected = `sha256=${createHmac("sha256", hmacSecret).update(rawBody).digest("hex")}`;
  return equalInConstantTime(given, expected) ? [] : ["X-HotBags-Signature is not the body's"];
}

function webhookBreaches(headers: IncomingHttpHeaders, rawBody: Buffer, { webhookSecret }: Secrets): string[] {
  const [id, timestamp, given] = ["id", "timestamp", "signature"].map((name) => headers[`webhook-${name}`]);
  if (webhookSecret === undefined) return given === undefined ? [] : [UNASKED_WEBHOOK];
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof given !== "string")
    return ["webhook-id, webhook-timestamp or webhook-signature is missing"];
  const breaches: string[] = [];
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS)
    breaches.push(`webhook-timestamp is not of the last ${TOLERANCE_SECONDS} seconds`);
  const key = Buffer.from(webhookSecret.replace("whsec_", ""), "base64");
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(rawBody).digest("base64");
  if (!given.split(" ").some((one) => equalInConstantTime(one, `v1,${digest}`)))
    breaches.push("webhook-signature is not the request's");
  return breaches;
}

/** Only what is answered says what the answer may use. */
function acceptBreaches(headers: IncomingHttpHeaders): string[] {
  const accept = headers["x-hotbags-accept"];
  return typeof accept === "string" && ACCEPT.test(accept) ? [] : [`X-HotBags-Accept is ${accept ?? "missing"}`];
}

function headerBreaches(headers: IncomingHttpHeaders, key: string | undefined, session: string | undefined): string[] {
  const breaches: string[] = [];
  const expectEqual = (name: string, expected: string | undefined): void => {
    const given = headers[name.toLowerCase()];
    if (given === undefined) breaches.push(`${name} is missing`);
    else if (expected !== undefined && given !== expected)
      breaches.push(`${name} is ${given}, the body says ${expected}`);
  };
  expectEqual("Idempotency-Key", key);
  expectEqual("X-Idempotency-Key", key);
  expectEqual("X-Transport-Session-Id", session);
  if (headers["webhook-id"] !== undefined) expectEqual("webhook-id", key);
  const version = headers["x-hotbags-contract"];
  if (version !== String(CONTRACT_VERSION)) breaches.push(`X-HotBags-Contract is ${version ?? "missing"}`);
  if (!JSON_TYPE.test(headers["content-type"] ?? "")) breaches.push(`Content-Type is ${headers["content-type"]}`);
  if (!USER_AGENT.test(headers["user-agent"] ?? "")) breaches.push(`User-Agent is ${headers["user-agent"]}`);
  if (headers["content-encoding"] !== undefined) breaches.push(`Content-Encoding is ${headers["content-encoding"]}`);
  return breaches;
}

function parse<Body>(schema: z.ZodType<Body>, rawBody: Buffer): { violations: string[]; body: Body | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(rawBody));
  } catch (error) {
    return { violations: [`body is not JSON in UTF-8: ${String(error)}`], body: undefined };
  }
  const result = schema.safeParse(value);
  if (result.success) return { violations: [], body: result.data };
  const violations = result.error.issues.map((issue) => `body ${issue.path.join(".")}: ${issue.message}`);
  return { violations, body: undefined };
}

function equalInConstantTime(given: string, expected: string): boolean {
  // Digests have one length, as timingSafeEqual asks for, and don't tell the secret's.
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
