import type { Kind, Severity } from "./table.ts";

/**
 * What is told of an alert: that it begins; that it is back, shortly after its end was told; that it still lasts; that
 * it is over. `happened`: what has no end. `test`: the operator tries the way.
 */
type NoticeState = "started" | "again" | "lasts" | "over" | "happened" | "test";

/** More of it, for programs. No customer's text, no number that is not masked. */
export type Details = Readonly<Record<string, string | number | null>>;

/** One word to the operator. */
export interface Notice {
  /** The alert's: the same from its beginning to its end. */
  readonly id: string;
  /** `unit`: one of systemd has failed. `release`: there is a newer one. Both are told without the sidecar. */
  readonly kind: Kind | "test" | "unit" | "release";
  readonly state: NoticeState;
  readonly severity: Severity;
  /** What is the case, in a few words and one line. */
  readonly title: string;
  /** What happened and what to do, in sentences. No customer's text, no number that is not masked. */
  readonly text: string;
  /** Since when it lasts, or when it happened; ISO 8601. */
  readonly since: string;
  readonly details: Details;
}

/**
 * What became of one attempt to deliver a notice. `passes`: it can go through by itself, as where nobody answers;
 * otherwise somebody has to change something. `waitMs`: as long as the other side asks for. `why` holds no part of the
 * URL, the command or the notice.
 */
export type Attempt =
  | { readonly ok: true }
  | { readonly ok: false; readonly passes: boolean; readonly why: string; readonly waitMs?: number };

/** A way to the operator. */
export interface Channel {
  /** The setting that it comes from. */
  readonly name: "ALERT_WEBHOOK_URL" | "ALERT_COMMAND";
  /** Ends when the signal aborts. Never rejects. */
  send(notice: Notice, signal: AbortSignal): Promise<Attempt>;
  close(): Promise<void>;
}
