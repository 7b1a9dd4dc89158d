import type { Message } from "../hotbags/index.ts";
import type { Shop } from "../shop/shop.ts";
import type { Sent } from "../whatsapp/index.ts";

/** The end of a run, counted at the far ends alone: what customers sent and saw, and what Hot Bags received and ordered. */
export interface Ledger {
  sent: number;
  received: number;
  /** Sent, and lost by OpenClaw before any hook of ours could see it; see `lostByOpenClaw`. */
  lostBefore: string[];
  /** Sent, not lost by OpenClaw, and not at Hot Bags. There must be none. */
  lost: string[];
  /** Chats whose messages came out of order. There must be none. */
  disordered: string[];
  ordered: number;
  replies: number;
  /** Replies that a customer saw twice. There must be none. */
  repliesTwice: string[];
  /** Replies that no customer saw and that the sidecar does not call in doubt or queued by the gateway. There must be none. */
  repliesLost: string[];
  inDoubt: number;
  violations: readonly string[];
}

/** OpenClaw marks what is older than this, ms, as read at the first connection of a gateway process, and shows it to no hook (its issue 132260). */
const OPENCLAW_WINDOW_MS = 60_000;

/**
 * Whether OpenClaw lost this message before any hook, by the WhatsApp double's own record: it sent a delivery receipt for it, and the message was
 * older than 60 s then.
 */
function lostByOpenClaw(sent: Sent): boolean {
  return sent.receipt !== undefined && sent.receipt.atMs - sent.at.getTime() > OPENCLAW_WINDOW_MS;
}

/** Counts a run. `sent` in the order in which customers wrote. */
export function count(shop: Shop, sent: readonly Sent[], inDoubt: number): Ledger {
  const accepted = new Set(shop.hotbags.accepted.map(({ message_id }) => message_id));
  const missing = sent.filter(({ id }) => !accepted.has(id));
  const heard = new Map<string, number>();
  for (const { text, delivered } of shop.whatsapp.sent) {
    if (text !== undefined && delivered) heard.set(text, (heard.get(text) ?? 0) + 1);
  }
  const texts = shop.hotbags.issued.flatMap(({ command }) => command.text ?? []);
  return {
    sent: sent.length,
    received: accepted.size,
    lostBefore: missing.filter(lostByOpenClaw).map(({ id }) => id),
    lost: missing.filter((message) => !lostByOpenClaw(message)).map(({ id }) => id),
    disordered: disordered(shop.hotbags.accepted, sent),
    ordered: texts.length,
    replies: texts.filter((text) => heard.has(text)).length,
    repliesTwice: [...heard].filter(([, times]) => times > 1).map(([text]) => text),
    repliesLost: texts.filter((text) => !heard.has(text)).slice(inDoubt),
    inDoubt,
    violations: shop.hotbags.violations,
  };
}

function disordered(accepted: readonly Message[], sent: readonly Sent[]): string[] {
  const place = new Map(sent.map(({ id }, index) => [id, index]));
  const last = new Map<string, number>();
  const chats = new Set<string>();
  for (const { chat_id, message_id } of accepted) {
    const index = place.get(message_id) ?? -1;
    if (index < (last.get(chat_id) ?? -1)) chats.add(chat_id);
    last.set(chat_id, index);
  }
  return [...chats];
}

/** What breaks a promise; empty if every promise was kept. */
export function broken(ledger: Ledger): string[] {
  const must: [string, readonly string[]][] = [
    ["messages lost", ledger.lost],
    ["chats out of order", ledger.disordered],
    ["replies seen twice", ledger.repliesTwice],
    ["replies lost without being called in doubt", ledger.repliesLost],
    ["breaches of the contract", ledger.violations],
  ];
  return must
    .filter(([, found]) => found.length > 0)
    .map(([what, found]) => `${found.length} ${what}: ${found.slice(0, 5).join(", ")}`);
}

export function drawLedger(ledger: Ledger): string {
  const rows: [string, number | string][] = [
    ["messages sent by customers", ledger.sent],
    ["received by Hot Bags, once per key", ledger.received],
    ["lost by OpenClaw before any hook", ledger.lostBefore.length],
    ["lost by the bridge", ledger.lost.length],
    ["chats out of order", ledger.disordered.length],
    ["replies ordered by Hot Bags", ledger.ordered],
    ["seen by customers", ledger.replies],
    ["seen twice", ledger.repliesTwice.length],
    ["in doubt, for the operator", ledger.inDoubt],
  ];
  return rows.map(([what, value]) => `  ${String(value).padStart(6)}  ${what}`).join("\n");
}
