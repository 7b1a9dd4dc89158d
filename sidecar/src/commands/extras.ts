/**
 * What Hot Bags may ask for only where the operator lets it (HOTBAGS_COMMANDS): commands, and `reply_to` in a command. Each
 * is a word of its own, so that a backend learns from the header `X-HotBags-Accept` what it may use.
 */
export const EXTRAS = ["reply_to", "send_media", "react"] as const;
export type Extra = (typeof EXTRAS)[number];
export type Extras = ReadonlySet<Extra>;

export const NO_EXTRAS: Extras = new Set();
