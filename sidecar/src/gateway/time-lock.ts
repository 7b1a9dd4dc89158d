/** WhatsApp's reach-out time lock, as OpenClaw tells of it when it refuses a direct message. */
export interface TimeLock {
  /** When it ends, wall-clock ms; null where WhatsApp does not say. */
  readonly until: number | null;
  /** WhatsApp's name for its cause, such as `BIZ_QUALITY`; null where it has none. */
  readonly kind: string | null;
}

/** The WhatsApp plugin's formatReachoutTimelockError: `… timelock is active; … (type=BIZ_QUALITY, until=<ISO>)`. */
const REFUSAL = /WhatsApp reachout timelock is active;/;
const KIND = /\btype=([A-Z][A-Z0-9_]{0,63})\b/;
const UNTIL = /\buntil=(\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)/;

/** The lock that OpenClaw's error text speaks of; undefined for any other text. */
export function timeLockOf(message: string): TimeLock | undefined {
  if (!REFUSAL.test(message)) return undefined;
  const until = Date.parse(UNTIL.exec(message)?.[1] ?? "");
  return { until: Number.isNaN(until) ? null : until, kind: KIND.exec(message)?.[1] ?? null };
}
