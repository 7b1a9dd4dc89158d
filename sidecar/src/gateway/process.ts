/**
 * One run of the gateway, from its start to its end or its restart, in or outside of its operating system process.
 * `id` is the gateway's `bootId` (hello-ok `server.bootId`): made anew by the same start that makes the memory of
 * idempotency keys, so equal ids mean that the memory is the same one. Kept as a string, it can be stored and compared exactly.
 */
export interface GatewayProcess {
  readonly id: string;
  readonly version: string;
}

/**
 * How long the gateway surely answers a repeated idempotency key with its first answer instead of sending, in ms.
 * OpenClaw keeps a finished answer for 300 s (server-constants: DEDUPE_TTL_MS); 30 s less, so that a repetition that is
 * slow to arrive still falls inside.
 */
export const KEY_MEMORY_MS = 270_000;

/**
 * How many newer keys may follow before ours could be pushed out. OpenClaw keeps 1,000 in all (DEDUPE_MAX) and drops the oldest;
 * half of it, because other clients of the gateway leave entries too.
 */
export const KEY_MEMORY_SENDS = 500;

/** The first time a key was given to the gateway, as it was written down before asking. */
export interface FirstAsked {
  /** `GatewayProcess.id` of then. */
  readonly processId: string;
  /** Ms since the machine started: the gateway and whoever asks share that, and no correction of the clock changes it. */
  readonly bootMs: number;
  /** How many sends were given to this gateway since, as far as the caller knows. */
  readonly sendsSince: number;
}

/**
 * Whether asking again with the same key cannot send twice: the very process that was asked first is still running and still has
 * the key in memory (while the send is under way, and 300 s after). False wherever it is not proven.
 */
export function stillRemembers(process: GatewayProcess | null, first: FirstAsked, bootMs: number): boolean {
  if (process === null || process.id !== first.processId) return false;
  const ageMs = bootMs - first.bootMs;
  return ageMs >= 0 && ageMs <= KEY_MEMORY_MS && first.sendsSince < KEY_MEMORY_SENDS;
}
