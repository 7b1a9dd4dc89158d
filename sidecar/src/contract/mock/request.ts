import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";

/** The Hot Bags contract as its backend reads it: written from docs, on purpose not from the product's own schema. */
export const INBOUND_PATH = "/api/integrations/whatsapp/inbound";

/** Vercel refuses a request body above this before any of Hot Bags' code runs. */
const MAX_BODY_BYTES = 4_500_000;

const E164 = /^\+[1-9]\d{6,14}$/;
const GROUP_JID = /^\d+(-\d+)?@g\.us$/;
const USER_AGENT = /^hotbags-bridge\/\d+\.\d+\.\d+(-[\w.]+)?$/;
/** Recorded, but no reason to refuse: a backend without HMAC doesn't look at the header. */
const UNASKED_SIGNATURE = "X-HotBags-Signature was sent although HMAC is disabled";
const JSON_TYPE = /^application\/json(; ?charset=utf-8)?$/i;

const media = z
  .strictObject({
    type: z.string().min(1),
    mime_type: z.string().min(1).nullable(),
    file_name: z.string().nullable(),
    size_bytes: z.int().nonnegative().nullable(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
    data_base64: z.base64().optional(),
    omitted: z.union([z.literal(true), z.string().min(1)]).optional(),
  })
  .superRefine((item, context) => {
    if ((item.data_base64 === undefined) === (item.omitted === undefined)) {
      context.addIssue({ code: "custom", message: "has neither or both of data_base64 and omitted" });
    }
    if (item.data_base64 === undefined) return;
    const bytes = Buffer.from(item.data_base64, "base64");
    if (bytes.length !== item.size_bytes) context.addIssue({ code: "custom", message: "size_bytes is not its bytes'" });
    if (createHash("sha256").update(bytes).digest("hex") !== item.sha256) {
      context.addIssue({ code: "custom", message: "sha256 is not its bytes'" });
    }
  });

const message = z.strictObject({
  message_id: z.string().min(1),
  chat_id: z.union([z.string().regex(E164), z.string().regex(GROUP_JID)]),
  from: z.string().regex(E164),
  text: z.string(),
  media: z.array(media),
  timestamp: z.iso.datetime(),
  raw: z.record(z.string(), z.unknown()),
  transport_session_id: z.string().min(1),
});

/** The body of a request to Hot Bags. */
export type Message = z.infer<typeof message>;

export type Secrets = { token: string; hmacSecret?: string };

/** What the checks found. With `refusal` Hot Bags answers that status and does nothing; `violations` are kept in any case. */
export type Verdict = { violations: string[]; refusal: number | undefined; message: Message | undefined };

/** Checks one request as the backend would: bearer, signature, headers, then the body. Never throws. */
export function checkRequest(headers: IncomingHttpHeaders, rawBody: Buffer, secrets: Secrets): Verdict {
  const unauthorized = [...bearerBreaches(headers, secrets.token), ...signatureBreaches(headers, rawBody, secrets)];
  const parsed = parseMessage(rawBody);
  const violations = [...unauthorized, ...headerBreaches(headers, parsed.message), ...parsed.violations];
  if (rawBody.length > MAX_BODY_BYTES)
    violations.push(`body has ${rawBody.length} bytes, at most ${MAX_BODY_BYTES} go`);
  return { violations, refusal: refusalFor(unauthorized, violations, rawBody), message: parsed.message };
}

function refusalFor(unauthorized: string[], violations: string[], rawBody: Buffer): number | undefined {
  if (rawBody.length > MAX_BODY_BYTES) return 413;
  if (unauthorized.some((breach) => breach !== UNASKED_SIGNATURE)) return 401;
  return violations.some((breach) => breach !== UNASKED_SIGNATURE) ? 422 : undefined;
}

function bearerBreaches(headers: IncomingHttpHeaders, token: string): string[] {
  const given = headers.authorization;
  if (given === undefined) return ["Authorization is missing"];
  return equalInConstantTime(given, `Bearer ${token}`) ? [] : ["Authorization is not the bearer token"];
}

function signatureBreaches(headers: IncomingHttpHeaders, rawBody: Buffer, { hmacSecret }: Secrets): string[] {
  const given = headers["x-hotbags-signature"];
  if (hmacSecret === undefined) return given === undefined ? [] : [UNASKED_SIGNATURE];
  if (typeof given !== "string") return ["X-HotBags-Signature is missing"];
  const expected = `sha256=${createHmac("sha256", hmacSecret).update(rawBody).digest("hex")}`;
  return equalInConstantTime(given, expected) ? [] : ["X-HotBags-Signature is not the body's"];
}

function headerBreaches(headers: IncomingHttpHeaders, body: Message | undefined): string[] {
  const breaches: string[] = [];
  const expectEqual = (name: string, expected: string | undefined): void => {
    const given = headers[name.toLowerCase()];
    if (given === undefined) breaches.push(`${name} is missing`);
    else if (expected !== undefined && given !== expected)
      breaches.push(`${name} is ${given}, the body says ${expected}`);
  };
  expectEqual("Idempotency-Key", body?.message_id);
  expectEqual("X-Idempotency-Key", body?.message_id);
  expectEqual("X-Transport-Session-Id", body?.transport_session_id);
  if (!JSON_TYPE.test(headers["content-type"] ?? "")) breaches.push(`Content-Type is ${headers["content-type"]}`);
  if (!USER_AGENT.test(headers["user-agent"] ?? "")) breaches.push(`User-Agent is ${headers["user-agent"]}`);
  if (headers["content-encoding"] !== undefined) breaches.push(`Content-Encoding is ${headers["content-encoding"]}`);
  return breaches;
}

function parseMessage(rawBody: Buffer): { violations: string[]; message: Message | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(rawBody));
  } catch (error) {
    return { violations: [`body is not JSON in UTF-8: ${String(error)}`], message: undefined };
  }
  const result = message.safeParse(value);
  if (result.success) return { violations: [], message: result.data };
  const violations = result.error.issues.map((issue) => `body ${issue.path.join(".")}: ${issue.message}`);
  return { violations, message: undefined };
}

function equalInConstantTime(given: string, expected: string): boolean {
  // Digests have one length, as timingSafeEqual asks for, and don't tell the secret's.
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
