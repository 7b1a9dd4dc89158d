import { reasonOf, safeReason } from "@hotbags/shared";
import { loginAnswer } from "./answers.ts";
import type { Link } from "./link.ts";
import type { GatewayTiming, LoginStep } from "./types.ts";

/** OpenClaw's words for "nobody has scanned it yet" (2026.9.6, extensions/whatsapp/src/login-qr.ts). */
const STILL_WAITING = /^Still waiting\b/;

/** What is more than the wait itself, ms. */
const MARGIN_MS = 5_000;

/** See `Gateway.startLogin`. Never rejects. */
export function startLogin(link: Link, accountId: string, timing: GatewayTiming): Promise<LoginStep> {
  const { loginTimeoutMs } = timing;
  // Forced: of an account that was logged out OpenClaw still has credentials, and with those it would be refused again.
  const params = { channel: "whatsapp", accountId, force: true, timeoutMs: loginTimeoutMs };
  return step(link, "web.login.start", params, loginTimeoutMs + MARGIN_MS);
}

/** See `Gateway.waitLogin`. Never rejects. */
export function waitLogin(link: Link, accountId: string, qr: string, timing: GatewayTiming): Promise<LoginStep> {
  const { loginWaitMs } = timing;
  const params = { channel: "whatsapp", accountId, currentQrDataUrl: qr, timeoutMs: loginWaitMs };
  return step(link, "web.login.wait", params, loginWaitMs + MARGIN_MS);
}

async function step(link: Link, method: string, params: object, timeoutMs: number): Promise<LoginStep> {
  try {
    const answer = loginAnswer.safeParse(await link.request(method, params, { timeoutMs }));
    if (!answer.success) return { kind: "failed", reason: `the gateway's answer to ${method} can't be read` };
    const { connected, qrDataUrl, message } = answer.data;
    if (connected) return { kind: "connected" };
    if (qrDataUrl !== undefined) return { kind: "scan", qr: qrDataUrl };
    return STILL_WAITING.test(message) ? { kind: "waiting" } : { kind: "failed", reason: safeReason(message) };
  } catch (error) {
    return { kind: "failed", reason: reasonOf(error) };
  }
}
