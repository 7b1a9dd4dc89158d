import { shownId } from "@hotbags/shared";
import * as z from "zod";
import { howToLink } from "./commands-of-openclaw.ts";

/** The states of one WhatsApp account. A closed list; `ACCOUNT_STATES` says of each what it means and what helps. */
export type AccountCode =
  | "connected"
  | "connecting"
  | "reconnecting"
  | "stopped"
  | "logged_out"
  | "replaced"
  | "not_linked"
  | "disabled"
  | "unknown";

export interface AccountState {
  readonly code: AccountCode;
  /** What is the case, for a human. */
  readonly sentence: string;
  /** What helps; "" where nothing has to be done. */
  readonly action: string;
  /** ms since 1970 of the last message that OpenClaw saw on this account; null if it has seen none since its start. */
  readonly lastInboundAt: number | null;
  /** The phone number that it is linked to, E.164; as told last; null if it never was: OpenClaw tells it of its default account only. */
  readonly number: string | null;
  readonly reconnectAttempts: number;
  /** ms since 1970: when OpenClaw last started this account. Every start begins with an empty memory of what came in. */
  readonly startedAt: number | null;
  /** ms since 1970: when it last connected to WhatsApp since that start. No two connections of a start share it. */
  readonly connectedAt: number | null;
  /** The last break, or the last failed attempt to connect after one. Null before the first, and after OpenClaw's watchdog has reconnected. */
  readonly lastDisconnect: { readonly at: number; readonly status: number | null } | null;
}

/** Stands for the account's id in an action. */
const ACCOUNT = "<account>";

/** Stands for the command by which OpenClaw shows a code. */
const LOGIN = "<login>";

/** Without `--account` it relinks OpenClaw's default account, which may be the healthy one (docs/cli/channels.md of OpenClaw). */
const RELINK = `Relink it: hotbags relink ${ACCOUNT} --qr, or as the gateway's user ${LOGIN} (scan the code with the phone).`;

export const ACCOUNT_STATES: Readonly<Record<AccountCode, { readonly sentence: string; readonly action: string }>> = {
  connected: { sentence: "WhatsApp is connected.", action: "" },
  connecting: { sentence: "OpenClaw is connecting to WhatsApp.", action: "" },
  reconnecting: {
    sentence: "The connection to WhatsApp broke; OpenClaw is trying again.",
    action: "If it lasts, check the machine's internet connection.",
  },
  stopped: {
    sentence: "OpenClaw has given up reconnecting to WhatsApp.",
    action: "The bridge starts it again by itself. If that does not help: openclaw gateway restart.",
  },
  logged_out: {
    sentence: "The phone has logged this device out of WhatsApp; no message comes or goes.",
    action: RELINK,
  },
  replaced: {
    sentence: "Another WhatsApp Web session has taken over this link.",
    action:
      "Close the other session (is a second gateway running with the same credentials?), then restart the gateway.",
  },
  not_linked: { sentence: "No phone is linked to this account.", action: RELINK },
  disabled: {
    sentence: "This account is switched off in OpenClaw's configuration.",
    action: "Enable it under channels.whatsapp in openclaw.json if it should be used.",
  },
  unknown: {
    sentence: "It is not known whether WhatsApp is connected.",
    action: "See the state of the gateway link.",
  },
};

/** The parts of a `channels.status` account that decide its state (observed on 2026.9.6; every field may be missing). */
export const accountStatus = z.looseObject({
  accountId: z.string().min(1),
  enabled: z.boolean().nullish(),
  configured: z.boolean().nullish(),
  linked: z.boolean().nullish(),
  statusState: z.string().nullish(),
  running: z.boolean().nullish(),
  connected: z.boolean().nullish(),
  healthState: z.string().nullish(),
  lifecycle: z.string().nullish(),
  lastDisconnect: z
    .looseObject({
      at: z.number().nullish().catch(null),
      status: z.number().nullish(),
      loggedOut: z.boolean().nullish(),
    })
    .nullish()
    .catch(null),
  reconnectAttempts: z.number().nullish().catch(null),
  lastInboundAt: z.number().nullish().catch(null),
  lastStartAt: z.number().nullish().catch(null),
  lastConnectedAt: z.number().nullish().catch(null),
});
export type AccountStatus = z.infer<typeof accountStatus>;

/** WhatsApp's reason for a disconnect: another session took over (Baileys DisconnectReason.connectionReplaced). */
const REPLACED_STATUS = 440;

/**
 * The first line that fits wins; the order matters, because OpenClaw's fields overlap: after a logout `linked` can stay true, a stopped
 * channel keeps the health state of its end, and a socket that OpenClaw thinks dead (`stale`) is still `connected`: what is written to
 * it is reported as sent and never arrives.
 */
function accountCodeOf(status: AccountStatus): AccountCode {
  const { healthState: health, lastDisconnect, running, connected } = status;
  const ended = running === false && connected !== true;
  if (status.enabled === false) return "disabled";
  if (health === "logged-out" || (ended && lastDisconnect?.loggedOut === true)) return "logged_out";
  if (health === "conflict" || (ended && lastDisconnect?.status === REPLACED_STATUS)) return "replaced";
  if (status.statusState === "not-linked" || status.linked === false) return "not_linked";
  if (health === "stale" || health === "stale-socket") return "reconnecting";
  if (connected === true && running !== false) return "connected";
  if (ended) return "stopped";
  if (health === "starting" || status.lifecycle === "starting") return "connecting";
  if (running === true && connected === false) return "reconnecting";
  return "unknown";
}

export function accountState(code: AccountCode, status?: AccountStatus, number: string | null = null): AccountState {
  const { at, status: reason } = status?.lastDisconnect ?? {};
  const { sentence, action } = ACCOUNT_STATES[code];
  const account = status ? shownId(status.accountId) : ACCOUNT;
  return {
    code,
    sentence,
    action: action.replaceAll(ACCOUNT, () => account).replaceAll(LOGIN, () => howToLink(account)),
    lastInboundAt: status?.lastInboundAt ?? null,
    number,
    reconnectAttempts: status?.reconnectAttempts ?? 0,
    startedAt: status?.lastStartAt ?? null,
    connectedAt: status?.lastConnectedAt ?? null,
    lastDisconnect: typeof at === "number" ? { at, status: reason ?? null } : null,
  };
}

/** The state of an account as one `channels.status` entry describes it. */
export function readAccount(status: AccountStatus, number: string | null = null): AccountState {
  return accountState(accountCodeOf(status), status, number);
}
