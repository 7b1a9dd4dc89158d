import type { Quotable } from "./content/content.ts";
import type { Receipt, SentFacts } from "./events.ts";

/** A message that a contact has sent and the server has accepted. */
export interface Sent extends SentFacts, Quotable {
  /** When it was written. */
  readonly at: Date;
  readonly acceptedAtMs: number;
  /** How often it was written to the bot's socket. */
  readonly deliveries: number;
  /** The bot's delivery receipt; undefined until it came. */
  readonly receipt: Receipt | undefined;
  /** Waits for the bot's delivery receipt. @throws Error after `timeoutMs` (default 30,000). */
  received(timeoutMs?: number): Promise<Receipt>;
}
