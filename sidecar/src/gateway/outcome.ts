import { safeReason, shownName } from "@hotbags/shared";
import { asWritten } from "./literal.ts";
import type { GatewayProcess } from "./process.ts";
import { type TimeLock, timeLockOf } from "./time-lock.ts";

/**
 * `reason`: what it means, in our own words, for logs and reports. `said`: how the gateway put it, on one line with numbers
 * masked. It can quote what it was to send, and so a customer: nobody sees it but who looks at this one command.
 */
interface Told {
  readonly reason: string;
  readonly said?: string;
}

/** What came of a `send`, as far as it is proven. */
export type SendOutcome =
  | { readonly kind: "sent"; readonly whatsappMessageId: string | null }
  /**
   * The gateway owns it now: it sends it when WhatsApp takes it, or drops it after 5 attempts. Not to be sent again before it has dropped it.
   * `timeLock`: it was refused because of this.
   */
  | (Told & { readonly kind: "queued_by_gateway"; readonly timeLock?: TimeLock })
  /** Not sent, and the same request would be refused again. */
  | (Told & { readonly kind: "failed" })
  /**
   * Not sent; it may be tried again, not before `retryAfterMs` where that is given. `action`: it will be refused
   * again until the operator has done this; without it, it passes by itself.
   */
  | (Told & { readonly kind: "not_sent"; readonly retryAfterMs?: number; readonly action?: string })
  /**
   * It may have been sent. `process` is the gateway that was asked; null if it did not say who it is. `partial`: a part of it was sent
   * for sure and the rest was not, so no later proof of a send settles it.
   */
  | (Told & { readonly kind: "in_doubt"; readonly process: GatewayProcess | null; readonly partial?: true });

/** How a `send` ended that brought no ok. */
export type SendFailure =
  /** The frame was never handed to the connection. */
  | { readonly at: "before_write"; readonly said: string }
  /** The frame was written, or may have been, and then no answer came: the link broke, or the time was up. */
  | { readonly at: "no_answer"; readonly reason: string; readonly said?: string }
  /** The gateway answered the frame with an error. */
  | { readonly at: "answer"; readonly error: GatewayError };

/** The error of a gateway response (gateway-protocol ErrorShape). */
export interface GatewayError {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | undefined;
}

type Verdict = "failed" | "not_sent" | "queued_by_gateway" | "in_doubt" | "partial";

interface Row {
  readonly when: string;
  readonly matches: (error: GatewayError) => boolean;
  readonly verdict: Verdict;
  readonly means: string;
  /** What only the operator can do about it. */
  readonly action?: string;
}

const detail = (error: GatewayError, name: string): unknown =>
  typeof error.details === "object" && error.details !== null
    ? (error.details as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** `details.reason` of a request that the gateway turned away before looking for its handler (server-methods, restart-unavailable, startup-unavailable). */
const TURNED_AWAY = new Set<unknown>(["startup-sidecars", "gateway-restarting", "gateway-suspending"]);

/**
 * Thrown in one place (dist server-start, GatewayRequestEntryLifetime) and for us only before the handler of `send` is entered. The whole text
 * must be equal: once the gateway's queue holds a message, its errors begin with OutboundDeliveryError. Its neighbour at a shutdown,
 * StateDatabaseCoordinatorContentionError, is left in doubt: it was seen, but not proven that nothing was sent.
 */
const ENTRY_CLOSED = "Error: Gateway request entry is closed";

/** INVALID_REQUEST that speaks of the gateway's configuration and not of this request: it may pass once the operator has acted. */
const MISCONFIGURED = ["unauthorized role:", "unknown method:", "unsupported channel:"];

/** A picture that is none, a file larger than `mediaMaxMb`, and an OpenClaw without its native part for files. */
const FILE_REFUSED = /^(RastermillError: |FsSafeError: |Error: Media too large: )/;

const REACTION_REFUSED =
  /^(Error: WhatsApp (reactions are disabled|agent reactions disabled)|ToolAuthorizationError: WhatsApp reaction blocked)/;

/**
 * The errors that OpenClaw 2026.9.6 answers `send` with, as far as they were found in its code (dist: message-handler, server-methods, send).
 * Seen on the real gateway: partial, queued, restarting, busy, entry closed, and the last row with an unknown account; the others are only read.
 * Of 3,498 answers "restarting" and 311 "busy" none had reached WhatsApp 90 s after the restart. The first row that fits wins. A row other
 * than `in_doubt` must be made before anything is handed to WhatsApp, or say itself who owns the message; what is not here is in doubt.
 */
export const ERROR_TABLE: readonly Row[] = [
  {
    when: "UNAVAILABLE, details.partialDelivery: a long text went out in part",
    matches: (error) => detail(error, "partialDelivery") !== undefined,
    verdict: "partial",
    means: "only a part of it reached WhatsApp",
  },
  {
    when: "UNAVAILABLE, details.code OUTBOUND_DELIVERY_QUEUED: WhatsApp was not connected, or refused the write, or has locked the number",
    matches: (error) => error.code === "UNAVAILABLE" && detail(error, "code") === "OUTBOUND_DELIVERY_QUEUED",
    verdict: "queued_by_gateway",
    means: "WhatsApp did not take it now; OpenClaw keeps it and tries again",
  },
  {
    when: "UNAVAILABLE, details.reason: the gateway is starting, restarting or suspending",
    matches: (error) => error.code === "UNAVAILABLE" && TURNED_AWAY.has(detail(error, "reason")),
    verdict: "not_sent",
    means: "the gateway is starting or stopping",
  },
  {
    when: "UNAVAILABLE, rate limit (details.limit): refused before the handler",
    matches: (error) =>
      error.code === "UNAVAILABLE" && error.retryable === true && typeof detail(error, "limit") === "string",
    verdict: "not_sent",
    means: "the gateway limits the rate",
  },
  {
    when: "UNAVAILABLE, the request queue is full: refused before the handler",
    matches: (error) =>
      error.code === "UNAVAILABLE" && error.retryable === true && error.message.startsWith("The server is busy."),
    verdict: "not_sent",
    means: "the gateway is busy",
  },
  {
    when: "UNAVAILABLE, entry closed: the gateway is shutting down, refused before the handler",
    matches: (error) => error.code === "UNAVAILABLE" && error.message === ENTRY_CLOSED,
    verdict: "not_sent",
    means: "the gateway is shutting down",
  },
  {
    when: "UNAVAILABLE, a file that OpenClaw can't take: before it has anything to deliver (dist hydrateSendBufferMediaParams)",
    matches: (error) => error.code === "UNAVAILABLE" && FILE_REFUSED.test(error.message),
    verdict: "failed",
    means: "OpenClaw can't take the file",
  },
  {
    when: "UNAVAILABLE, no listener: an action, which OpenClaw never queues, while WhatsApp was not connected",
    matches: (error) =>
      error.code === "UNAVAILABLE" && error.message.startsWith("PlatformMessageNotDispatchedError: No active WhatsApp"),
    verdict: "not_sent",
    means: "WhatsApp was not connected",
  },
  {
    when: "UNAVAILABLE, OpenClaw's configuration allows no reactions, or none to this customer: looked at before WhatsApp is",
    matches: (error) => error.code === "UNAVAILABLE" && REACTION_REFUSED.test(error.message),
    verdict: "failed",
    means: 'OpenClaw allows it not: channels.whatsapp needs actions: {reactions: true} and reactionLevel: "minimal"',
  },
  {
    when: "FORBIDDEN: scope, role or session right is missing; checked before delivery",
    matches: (error) => error.code === "FORBIDDEN",
    verdict: "not_sent",
    means: "the gateway does not let this token send",
    action: "Set OPENCLAW_GATEWAY_TOKEN to gateway.auth.token of openclaw.json, which may do all; restart the sidecar.",
  },
  {
    when: "INVALID_REQUEST, lost authority of an agent runtime: the one INVALID_REQUEST that can follow a delivery (not for our kind of client)",
    matches: (error) => error.code === "INVALID_REQUEST" && error.message.includes("authority is no longer active"),
    verdict: "in_doubt",
    means: "the gateway gave up in the middle of it",
  },
  {
    when: "INVALID_REQUEST, no such role, method or channel: the gateway's configuration",
    matches: (error) =>
      error.code === "INVALID_REQUEST" && MISCONFIGURED.some((start) => error.message.startsWith(start)),
    verdict: "not_sent",
    means: "the gateway is not set up to send on WhatsApp",
    action:
      "Install the WhatsApp plugin that this bridge is made for, name it in plugins.allow of openclaw.json, " +
      "and restart the gateway.",
  },
  {
    when: "INVALID_REQUEST: parameters, account or target",
    matches: (error) => error.code === "INVALID_REQUEST",
    verdict: "failed",
    means: "OpenClaw refuses this request",
  },
];

/** What a failure proves. Pure. `process` is the gateway that was asked. */
export function outcomeOfFailure(failure: SendFailure, process: GatewayProcess | null): SendOutcome {
  if (failure.at === "before_write")
    return { kind: "not_sent", reason: "it was not handed to the gateway", said: failure.said };
  if (failure.at === "no_answer") {
    const { at: _, ...told } = failure;
    return { kind: "in_doubt", ...told, process };
  }
  const { error } = failure;
  const row = ERROR_TABLE.find(({ matches }) => matches(error));
  const told: Told = {
    reason: `${row?.means ?? "the gateway answered with an error that proves nothing"} (${shownName(error.code)})`,
    said: safeReason(asWritten(error.message)),
  };
  switch (row?.verdict) {
    case "failed":
      return { kind: "failed", ...told };
    case "queued_by_gateway": {
      const timeLock = timeLockOf(error.message);
      return { kind: "queued_by_gateway", ...told, ...(timeLock && { timeLock }) };
    }
    case "not_sent":
      return {
        kind: "not_sent",
        ...told,
        ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
        ...(row.action === undefined ? {} : { action: row.action }),
      };
    case "partial":
      return { kind: "in_doubt", ...told, process, partial: true };
    default:
      return { kind: "in_doubt", ...told, process };
  }
}

/**
 * What a second asking with the same key proves about the first. A refusal of now says nothing about then: the gateway checks the request
 * before it looks for the key, and the configuration can have changed in between.
 */
export function outcomeOfAskingAgain(outcome: SendOutcome, process: GatewayProcess | null): SendOutcome {
  if (outcome.kind !== "failed" && outcome.kind !== "not_sent") return outcome;
  const { reason, said } = outcome;
  const told = { reason: `asked again without an answer to the first time: ${reason}`, ...(said && { said }) };
  return { kind: "in_doubt", ...told, process };
}
