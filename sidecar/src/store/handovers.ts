/** What became of a reply that OpenClaw had in its own queue. `dropped`: OpenClaw gave it up, and said why. */
export type HandoverEnd =
  | { to: "sent"; whatsappMessageId: string | null }
  | { to: "pending" | "in_doubt"; reason: string; said?: string; dropped: boolean };

/**
 * Commands that OpenClaw has in its own queue. States: `queued_by_gateway → sent | pending | in_doubt`. Back to `pending`
 * only where it is proven that nothing was sent.
 */
export interface HandoverStore {
  /** Their commands, by id, newest first. Read once at start. */
  open(limit: number, account?: string): Promise<number[]>;

  /** OpenClaw has it no more. */
  ended(id: number, end: HandoverEnd): Promise<void>;
}
