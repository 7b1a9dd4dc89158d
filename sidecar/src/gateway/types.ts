import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { AccountState } from "./account.ts";
import type { SendOutcome } from "./outcome.ts";
import type { FirstAsked, GatewayProcess } from "./process.ts";

/** How the connection to the gateway stands. `refused`: reached, but it will not have us until the operator changes something. */
export type LinkState = "connecting" | "up" | "down" | "refused";

/** A snapshot; it never changes after it was handed out. */
export interface GatewayState {
  readonly link: LinkState;
  /** For a human: what is wrong and what to do. Absent while the link is up. */
  readonly reason?: string;
  /** The gateway that answers now; null while the link is not up, or if it does not say who it is. */
  readonly process: GatewayProcess | null;
  /** Every WhatsApp account the gateway reported, by account id. All `unknown` once the link breaks. */
  readonly accounts: ReadonlyMap<string, AccountState>;
}

/** What one `channels.status` said, `unknown` left out, and when it was asked for (`now` and `uptimeMs` of the clock). */
export interface StatusReport {
  readonly now: number;
  readonly uptimeMs: number;
  /** The gateway that answered; null if it does not say who it is. */
  readonly process: GatewayProcess | null;
  readonly accounts: ReadonlyMap<string, AccountState>;
}

/** A gateway process that ended without saying so: killed, or crashed. */
export interface GatewayDeath {
  readonly processId: string;
  /** When the link to it broke, wall-clock ms. */
  readonly at: number;
}

/** What the gateway says that it runs, as texts such as `2026.9.6`; null where it does not say. */
export interface GatewayVersions {
  readonly openclaw: string | null;
  /** OpenClaw's WhatsApp plugin. */
  readonly whatsapp: string | null;
}

/** What the gateway is to do in a chat: a method of it, with what that takes besides the chat, the account and the key. */
export type GatewayCall =
  | { readonly method: "send"; readonly params: Readonly<Record<string, unknown>> }
  | { readonly method: "message.action"; readonly action: string; readonly params: Readonly<Record<string, unknown>> };

export interface SendRequest {
  readonly accountId: string;
  /** E.164 or `...@g.us`; anything else is refused here, because OpenClaw would turn it into a wrong number. */
  readonly to: string;
  readonly call: GatewayCall;
  /** Used as the idempotency key. The same key within 300 s in the same gateway process gets the first answer, whatever else it asks for. */
  readonly commandId: string;
}

export type StartOutcome = { readonly started: true } | { readonly started: false; readonly reason: string };

/** The configuration file of a gateway, parsed. */
export interface GatewayConfig {
  readonly config: Readonly<Record<string, unknown>>;
  readonly path: string | null;
}

/** How far linking an account has come. */
export type LoginStep =
  | { readonly kind: "connected" }
  /** A PNG as a data URL. Secret: who scans it first has the account's messages. */
  | { readonly kind: "scan"; readonly qr: string }
  /** Nobody has scanned it yet. */
  | { readonly kind: "waiting" }
  | { readonly kind: "failed"; readonly reason: string };

export interface Gateway {
  readonly state: GatewayState;
  readonly process: GatewayProcess | null;
  /** Of the gateway that answers now; of the last one while the link is down. */
  readonly versions: GatewayVersions;
  /** True only while the link is up and a fresh `channels.status` said that WhatsApp is connected for this account. */
  canSend(accountId: string): boolean;
  /** Called after each change of `state`. Returns the unsubscribe. */
  onChange(listener: (state: GatewayState) => void): () => void;
  /** Called with each status that the gateway answers, every few seconds, whether it is news or not. Returns the unsubscribe. */
  onStatus(listener: (report: StatusReport) => void): () => void;
  /** Called when another process answers after one that has died. Returns the unsubscribe. */
  onDied(listener: (death: GatewayDeath) => void): () => void;
  /** Hands one reply to WhatsApp. Never throws; every doubt is `in_doubt`. Write the intent down before calling. */
  send(request: SendRequest): Promise<SendOutcome>;
  /**
   * `send` again with the same key, to learn the lost answer of the first time. Does nothing unless `stillRemembers` says that it
   * cannot send twice; the outcome is then `sent`, `queued_by_gateway` or `in_doubt`, never "not sent": a refusal now proves nothing about then.
   */
  askAgain(request: SendRequest, first: FirstAsked): Promise<SendOutcome>;
  /**
   * The idempotency keys found in the gateway's transcript of a chat; null if it could not be read. A key that is there was sent;
   * one that is not there may have been sent all the same.
   */
  history(accountId: string, chatId: string): Promise<ReadonlySet<string> | null>;
  /** Starts an account that OpenClaw gave up on (`stopped`). Never call it for `logged_out` or `replaced`. */
  startChannel(accountId: string): Promise<StartOutcome>;
  /** The configuration that the gateway has on disk, secrets left out; null if it could not be read. */
  config(): Promise<GatewayConfig | null>;
  /**
   * Begins to link an account anew: OpenClaw forgets the link that it has, and gives a code that a phone is to scan. Never for an
   * account that is connected, or may be: it would be logged out.
   */
  startLogin(accountId: string): Promise<LoginStep>;
  /** Waits until the code is scanned, or another one takes its place: WhatsApp changes it every 20 to 60 s. `qr`: the one that is shown. */
  waitLogin(accountId: string, qr: string): Promise<LoginStep>;
  /** Closes the connection and every timer. Sends under way end `in_doubt`. */
  /** Shows this token from the next connection on; the one that is open goes on. */
  adopt(token: string): void;
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** `OPENCLAW_GATEWAY_URL`, such as ws://127.0.0.1:18789. */
  readonly url: string;
  /** `OPENCLAW_GATEWAY_TOKEN`; never logged. */
  readonly token: string;
  readonly log: Logger;
  readonly timing?: Partial<GatewayTiming>;
  readonly clock?: Clock;
}

/** All in ms. */
export interface GatewayTiming {
  /** Between two `channels.status`. */
  readonly pollMs: number;
  /** How long a status is believed. */
  readonly freshMs: number;
  readonly statusTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly historyTimeoutMs: number;
  readonly pluginsTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly configTimeoutMs: number;
  /** Until there is a code to scan: OpenClaw stops the account and connects to WhatsApp anew. */
  readonly loginTimeoutMs: number;
  /** How long one `web.login.wait` may last. */
  readonly loginWaitMs: number;
  /** From dialling to the gateway's hello. */
  readonly connectTimeoutMs: number;
  /** First wait before a reconnect; it doubles up to `reconnectMaxMs`. */
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** Wait before the next try after the gateway refused us. */
  readonly refusedRetryMs: number;
}
