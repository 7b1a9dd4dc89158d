import { codeOf, safeReason } from "@hotbags/shared";
import { howToStart } from "./commands-of-openclaw.ts";
import { type GatewayUnit, isStarting } from "./unit.ts";

/** Why there is no link, for a human: what is the case and what to do. */
export interface LinkTrouble {
  readonly link: "down" | "refused";
  readonly reason: string;
}

/**
 * What to do about each way in which the gateway refuses a connection (gateway-protocol ConnectErrorDetailCodes). Only those that a
 * client with a shared token can meet.
 */
const REFUSALS: Readonly<Record<string, string>> = {
  AUTH_TOKEN_MISMATCH:
    "the gateway refuses OPENCLAW_GATEWAY_TOKEN as wrong: set it to gateway.auth.token of openclaw.json",
  AUTH_TOKEN_MISSING: "the gateway wants a token: set OPENCLAW_GATEWAY_TOKEN to gateway.auth.token of openclaw.json",
  AUTH_TOKEN_NOT_CONFIGURED: "the gateway has no token to compare with: set gateway.auth.token in openclaw.json",
  AUTH_PASSWORD_MISMATCH:
    "the gateway wants its password: set gateway.auth.mode to token in openclaw.json, or OPENCLAW_GATEWAY_TOKEN to its password",
  AUTH_RATE_LIMITED:
    "the gateway saw too many wrong tokens and refuses all for a while: correct OPENCLAW_GATEWAY_TOKEN; it is tried again by itself",
  PROTOCOL_MISMATCH:
    "the gateway speaks another protocol version: install the OpenClaw release that this bridge is made for",
  CLIENT_VERSION_MISMATCH:
    "the gateway refuses this client's version: install the OpenClaw release that this bridge is made for",
  // What it answers to an empty token as well.
  DEVICE_IDENTITY_REQUIRED:
    "the gateway wants a paired device, or got no token: set OPENCLAW_GATEWAY_TOKEN, and connect over loopback (ws://127.0.0.1:...)",
  PAIRING_REQUIRED:
    "the gateway wants a paired device: connect over loopback (ws://127.0.0.1:...), where the token is enough",
};

/** Codes whose name alone says that it is about who we are, so that a new one is not taken for a mere outage. */
const ABOUT_US = /^(AUTH|DEVICE|CONTROL_UI|PAIRING|PROTOCOL|CLIENT)(_[A-Z]{1,24}){1,6}$/;

function detailCode(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("details" in error)) return null;
  const { details } = error;
  if (typeof details !== "object" || details === null || !("code" in details)) return null;
  return typeof details.code === "string" ? details.code : null;
}

/** Whether nobody listens there. */
export const isNobodyThere = (error: unknown) => codeOf(error) === "ECONNREFUSED";

/**
 * Judges a connection that did not come to be, or that broke. `error` is what the client library reported, if anything; `unit` what
 * systemd says of the gateway, where nobody listens.
 */
export function troubleOf(
  url: string,
  error: unknown,
  close: { readonly code: number; readonly reason: string } | null,
  unit: GatewayUnit | null = null,
): LinkTrouble {
  const code = detailCode(error);
  if (code !== null && code in REFUSALS) return { link: "refused", reason: `${REFUSALS[code]} (${code})` };
  const said = safeReason(error instanceof Error ? error.message : (close?.reason ?? ""));
  if (code !== null && ABOUT_US.test(code))
    return { link: "refused", reason: `the gateway refuses us: ${said} (${code})` };
  if (close?.code === 1013) return { link: "down", reason: "the gateway is still starting" };
  if (close?.code === 1012) return { link: "down", reason: "the gateway is restarting" };
  if (isNobodyThere(error)) return { link: "down", reason: whyNobodyListens(url, unit) };
  return { link: "down", reason: `no connection to the gateway at ${url}${said === "" ? "" : `: ${said}`}` };
}

/** After each start of the gateway's unit nobody listens for a while. */
function whyNobodyListens(url: string, unit: GatewayUnit | null): string {
  if (unit === null || unit.upMs === null) return `no gateway listens at ${url}: start it with ${howToStart()}`;
  const seconds = Math.round(unit.upMs / 1_000);
  if (isStarting(unit))
    return `the gateway is starting (for ${seconds} s now), and does not listen at ${url} yet: wait, and if that takes longer than 2 min see journalctl -u openclaw-gateway`;
  const minutes = Math.floor(seconds / 60);
  return `openclaw-gateway.service has been running for ${minutes} min, and no gateway listens at ${url}: journalctl -u openclaw-gateway says what it does; OPENCLAW_GATEWAY_URL must name gateway.port of openclaw.json`;
}
