import { createHash, timingSafeEqual } from "node:crypto";
import { verifySignature, verifyWebhook } from "@hotbags/contract";

export interface Secrets {
  /** HOTBAGS_BEARER_TOKEN. */
  token: string;
  /** HOTBAGS_HMAC_SECRET; null: requests are not signed. */
  hmacSecret: string | null;
  /** HOTBAGS_WEBHOOK_SECRET; null: requests are not signed as Standard Webhooks does. */
  webhookSecret: string | null;
}

/** Of the environment. */
export function readSecrets(): Secrets {
  const token = process.env["HOTBAGS_BEARER_TOKEN"];
  if (!token) throw new Error("HOTBAGS_BEARER_TOKEN is not set");
  const hmacSecret = process.env["HOTBAGS_HMAC_SECRET"] || null;
  return { token, hmacSecret, webhookSecret: process.env["HOTBAGS_WEBHOOK_SECRET"] || null };
}

/** Why a request is none of the bridge's; null: it is. `body`: the bytes as they came, where the token is right. */
export async function refusalFor(
  { headers }: Request,
  readBody: () => Promise<Uint8Array<ArrayBuffer>>,
  { token, hmacSecret, webhookSecret }: Secrets,
): Promise<{ refusal: Response | null; body: Uint8Array<ArrayBuffer> }> {
  const nothing = new Uint8Array();
  if (!isEqual(headers.get("authorization") ?? "", `Bearer ${token}`))
    return { refusal: refuse(401, "wrong token"), body: nothing };
  const body = await readBody();
  if (hmacSecret !== null && !(await verifySignature(body, headers.get("x-hotbags-signature"), hmacSecret)))
    return { refusal: refuse(401, "wrong signature"), body };
  // Its time as well: what somebody has recorded is of no use later.
  if (webhookSecret !== null && !(await verifyWebhook(body, headers, webhookSecret)))
    return { refusal: refuse(401, "wrong or old webhook-signature"), body };
  return { refusal: null, body };
}

/** In constant time: digests have one length, as timingSafeEqual asks for. */
function isEqual(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

export function refuse(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
