/** Of a restore, wall-clock ms. */
export interface RestoreTimes {
  madeAt: number;
  restoredAt: number;
  /** When the sidecar whose state is lost ran last, as far as is known. */
  lostUntil: number;
}

/** What is not known any more. */
export interface Doubted {
  /** Replies that may have been sent since the backup. */
  commands: number;
  /** Messages that may have been answered since: the replies that Hot Bags gives for them now. */
  messages: number;
}

/** States of commands of which it is not known what became of them since. */
export const UNKNOWN_SINCE = ["pending", "sending", "queued_by_gateway"] as const;

/** In the audit. */
export function restoreResult({ commands, messages }: Doubted): string {
  return `${commands} replies in doubt, ${messages} messages that may have been answered`;
}

/** What was to be said to be restored can't be, and nothing was changed. The message is for the operator. */
export class RestoreRefusedError extends Error {
  override readonly name = "RestoreRefusedError";
}
