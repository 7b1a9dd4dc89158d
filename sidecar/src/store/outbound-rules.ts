/** Who may be written to without having asked. */
export interface OutboundRules {
  /** `known`: chats that have written to us within `knownMs`. `any`: others too, so many new ones a day. */
  mode: "known" | "any";
  knownMs: number;
  newChatsPerDay: number;
  /** Whether OpenClaw has such an account. */
  hasAccount(accountId: string): boolean;
}

/** A conversation that the shop has begun counts for so long, ms. */
export const DAY_MS = 24 * 3_600_000;

/** What is known of a chat that a command of the outbox is for. */
export interface KnownChat {
  /** It has written within `knownMs`. */
  hasWritten: boolean;
  /** The shop has written to it first, within a day. */
  isBegun: boolean;
  /** How many conversations were begun within a day. */
  begun: () => number;
}

/** Why the outbox does not write to a chat; null: it does. */
export function whyNot(rules: OutboundRules, accountId: string, chat: KnownChat): string | null {
  if (!rules.hasAccount(accountId)) return "OpenClaw has no such WhatsApp account";
  if (chat.hasWritten) return null;
  if (rules.mode === "known")
    return `the chat has not written within ${Math.round(rules.knownMs / 3_600_000)} h (BRIDGE_OUTBOUND_KNOWN_HOURS), and BRIDGE_OUTBOUND=known lets no other be written to`;
  if (chat.isBegun || chat.begun() < rules.newChatsPerDay) return null;
  return `${rules.newChatsPerDay} new conversations were begun within a day (BRIDGE_OUTBOUND_NEW_CHATS_PER_DAY)`;
}
