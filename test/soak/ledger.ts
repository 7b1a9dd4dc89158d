import { join } from "node:path";
import Database from "better-sqlite3";
import type { Addressed } from "../openclaw/ingress.ts";
import type { Shop } from "../shop/shop.ts";
import type { Sent } from "../whatsapp/index.ts";
import { disordered, type InChat, withoutWitnesses } from "./chat-order.ts";

/** The end of a run, counted at the far ends alone: what customers sent and saw, and what Hot Bags received and ordered. */
export interface Ledger {
  sent: number;
  received: number;
  /** Sent, and lost by OpenClaw before any hook of ours could see it. */
  lostBefore: { id: string; reason: Reason }[];
  /** Sent, not lost by OpenClaw, and not at Hot Bags, with how old they were at their receipt. There must be none. */
  lost: string[];
  /** Chats whose messages OpenClaw handed to the plugin in another order than they were written in. */
  disorderedBefore: string[];
  /** Messages that failed again and again while others passed: by the contract they leave their place. Faults at random do that now and then. */
  steppedAside: ReadonlySet<string>;
  /** Messages that were asked as witnesses for one ahead of them that failed again and again, which then passed as well. */
  witnesses: string[];
  /** Chats whose messages, but for these two kinds, reached Hot Bags in another order than the plugin, and how. There must be none. */
  disordered: string[];
  ordered: number;
  replies: number;
  /** Replies that a customer saw twice. There must be none. */
  repliesTwice: string[];
  /** Replies that a phone got, could not read, and did not get again: the same fault of Baileys that makes messages unreadable. */
  repliesUnreadable: number;
  /** Replies that no customer saw, none of these, and that the sidecar does not call in doubt or queued by the gateway. There must be none. */
  repliesLost: string[];
  inDoubt: number;
  violations: readonly string[];
}

/** A death of the gateway without warning. */
export interface Death {
  /** When the next process was connected to WhatsApp, ms since the epoch: a receipt before that is of the one that died, or of an earlier one. */
  readonly untilMs: number;
  /** Whether OpenClaw had written a message down before it died. */
  wroteDown(message: Addressed): boolean;
}

/** OpenClaw marks what is older than this, ms, as read at the first connection of a gateway process, and shows it to no hook (its issue 132260). */
const OPENCLAW_WINDOW_MS = 60_000;

/** How old a message was when OpenClaw sent its delivery receipt, ms, by WhatsApp's time: that is in whole seconds, rounded down. */
function ageAtReceipt({ at, receipt }: Sent): number | undefined {
  return receipt && receipt.atMs - Math.floor(at.getTime() / 1_000) * 1_000;
}

const REASONS = ["too old", "unreadable at first", "not written down when the gateway was killed"] as const;
type Reason = (typeof REASONS)[number];

/**
 * Why OpenClaw lost this message before any hook, by what others than we recorded; undefined if it did not. The WhatsApp double says that a
 * delivery receipt came for it; and
 * - the message was older than 60 s then; or
 * - Baileys had asked for it again first. It loses its place in a session with a contact to whom it sends in the instant in which it reads
 *   (Baileys' pull request 2811), and OpenClaw has put the unreadable copy down as done then; or
 * - OpenClaw died before it had written the message down (its issue 50563): Baileys sends the receipt first.
 */
function lossByOpenClaw(sent: Sent, asked: ReadonlySet<string>, deaths: readonly Death[]): Reason | undefined {
  const { receipt } = sent;
  if (receipt === undefined) return undefined;
  if ((ageAtReceipt(sent) ?? 0) > OPENCLAW_WINDOW_MS) return "too old";
  if (asked.has(sent.id)) return "unreadable at first";
  const death = deaths.find(({ untilMs }) => receipt.atMs < untilMs);
  return death?.wroteDown(sent) === false ? "not written down when the gateway was killed" : undefined;
}

/**
 * Counts a run. `sent` in the order in which customers wrote; `captured` has the ids of messages in the order in which they came to the plugin, each
 * once; `deaths` are the gateway's, in their order.
 */
export function count(
  shop: Shop,
  sent: readonly Sent[],
  captured: readonly string[],
  deaths: readonly Death[],
  inDoubt: number,
): Ledger {
  const accepted = new Set(shop.hotbags.accepted.map(({ message_id }) => message_id));
  const asked = new Set(shop.whatsapp.receipts.filter(({ kind }) => kind === "retry").map(({ id }) => id));
  const missing = sent
    .filter(({ id }) => !accepted.has(id))
    .map((message) => ({ message, reason: lossByOpenClaw(message, asked, deaths) }));
  const heard = new Map<string, number>();
  for (const { text, delivered } of shop.whatsapp.sent) {
    if (text !== undefined && delivered) heard.set(text, (heard.get(text) ?? 0) + 1);
  }
  const repliesUnreadable = shop.whatsapp.undecrypted.filter(({ resolved }) => !resolved).length;
  const aside = steppedAside(shop);
  const inLanes = withoutWitnesses(
    shop.hotbags.accepted
      .filter(({ message_id }) => !aside.has(message_id))
      .map(({ chat_id, message_id }) => ({ chat: chat_id, id: message_id })),
    captured,
    failedAgain(shop),
  );
  const texts = shop.hotbags.issued.flatMap(({ command }) => command.text ?? []);
  return {
    sent: sent.length,
    received: accepted.size,
    lostBefore: missing.flatMap(({ message: { id }, reason }) => (reason ? [{ id, reason }] : [])),
    lost: missing
      .filter(({ reason }) => !reason)
      .map(({ message }) => `${message.id} (receipt at the age of ${ageAtReceipt(message) ?? "…"} ms)`),
    disorderedBefore: disordered(
      inOrder(captured, sent),
      sent.map(({ id }) => id),
    ),
    steppedAside: aside,
    witnesses: inLanes.witnesses,
    disordered: disordered(inLanes.messages, captured).map((chat) => storyOf(shop, chat, captured)),
    ordered: texts.length,
    replies: texts.filter((text) => heard.has(text)).length,
    repliesTwice: [...heard].filter(([, times]) => times > 1).map(([text]) => text),
    repliesUnreadable,
    repliesLost: texts.filter((text) => !heard.has(text)).slice(inDoubt + repliesUnreadable),
    inDoubt,
    violations: shop.hotbags.violations,
  };
}

/** What came of a chat's messages, which are numbered as they came to the plugin. */
function storyOf({ hotbags, stateDir }: Shop, chat: string, captured: readonly string[]): string {
  const came = hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ message_id }) => message_id);
  const number = new Map(captured.filter((id) => came.includes(id)).map((id, index) => [id, index]));
  const db = new Database(join(stateDir, "bridge.sqlite"), { readonly: true });
  try {
    const failed = db
      .prepare<[], { message_id: string; at: number; status: number | null }>(
        "SELECT message_id, at, attempts.status FROM attempts JOIN messages USING (seq) ORDER BY at",
      )
      .all()
      .filter(({ message_id }) => number.has(message_id))
      .map(({ message_id, at, status }) => `${number.get(message_id)} failed at ${at} (${status})`);
    const posted = hotbags.requests
      .filter(({ key }) => number.has(key ?? ""))
      .map(({ key, at, status }) => `${number.get(key ?? "")} came at ${at} (${status})`);
    const order = came.map((id) => number.get(id) ?? "?").join(" ");
    return [`${chat}: ${order}`, ...failed, ...posted].join("\n");
  } finally {
    db.close();
  }
}

function steppedAside(shop: Shop): ReadonlySet<string> {
  return idsOf(shop, "SELECT message_id FROM messages WHERE detached = 1");
}

/** Messages that failed more than once before they passed. */
function failedAgain(shop: Shop): ReadonlySet<string> {
  return idsOf(
    shop,
    "SELECT message_id FROM messages WHERE (SELECT count(*) FROM attempts WHERE attempts.seq = messages.seq) > 1",
  );
}

/** By the sidecar's own rows: a line of its log can be lost in a kill. */
function idsOf({ stateDir }: Shop, sql: string): ReadonlySet<string> {
  const db = new Database(join(stateDir, "bridge.sqlite"), { readonly: true });
  try {
    return new Set(db.prepare<[], string>(sql).pluck().all());
  } finally {
    db.close();
  }
}

function inOrder(ids: readonly string[], sent: readonly Sent[]): InChat[] {
  const chats = new Map(sent.map(({ id, chat }) => [id, chat]));
  return ids.map((id) => ({ id, chat: chats.get(id) ?? "" }));
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
    ...REASONS.map((reason): [string, number] => [
      `  ${reason}`,
      ledger.lostBefore.filter((loss) => loss.reason === reason).length,
    ]),
    ["lost by the bridge", ledger.lost.length],
    ["chats put out of order by OpenClaw before any hook", ledger.disorderedBefore.length],
    ["stepped aside, as they failed while others passed", ledger.steppedAside.size],
    ["passed before one that had failed again and again, as its witness", ledger.witnesses.length],
    ["chats put out of order by the bridge", ledger.disordered.length],
    ["replies ordered by Hot Bags", ledger.ordered],
    ["seen by customers", ledger.replies],
    ["unreadable on the phone, and not sent again by Baileys", ledger.repliesUnreadable],
    ["seen twice", ledger.repliesTwice.length],
    ["in doubt, for the operator", ledger.inDoubt],
  ];
  return rows.map(([what, value]) => `  ${String(value).padStart(6)}  ${what}`).join("\n");
}
