import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { COMMAND_WORDS } from "../openclaw/command-words.ts";
import { CUSTOMERS, GROUPS, openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Contact, Group, Sent } from "../whatsapp/index.ts";

// With the plugin. Every word reaches Hot Bags with one POST, and all that its chat gets from the bot are Hot Bags' replies. Each
// test compares the record of its own chats.
const SETTLED_MS = 60_000;

let shop: Shop;
const customers = [...CUSTOMERS];

beforeAll(async () => {
  shop = await openShop();
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: replyTo(text) },
  ]);
});
afterAll(() => shop?.close());
afterEach(() => expect(shop.hotbags.violations).toEqual([]));

function customer() {
  const number = customers.shift();
  if (number === undefined) throw new Error("more tests than customers: make the list in shop.ts longer");
  return shop.whatsapp.contact(number);
}

const replyTo = (text: string) => `Hot Bags on ${text}`;

async function saysAll(anna: Contact, group?: Group): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const word of COMMAND_WORDS) sent.push(await anna.says(word, group === undefined ? {} : { in: group }));
  return sent;
}

/** All that has left the bot for the chats of these messages: chat and text. */
function left(sent: readonly Sent[]) {
  const chats = new Set(sent.map(({ chat }) => chat));
  const there = shop.whatsapp.sent.filter(({ chat }) => chats.has(chat));
  return there.map(({ chat, text }) => `${chat} ${text}`).sort();
}

const replies = (sent: readonly Sent[]) => sent.map(({ chat, text }) => `${chat} ${replyTo(text)}`).sort();

/** Each message, one POST: ids, with chat and word for who reads a failure. */
function posts(sent: readonly Sent[]) {
  const names = new Map(sent.map(({ id, chat, text }) => [id, `${chat} ${text}`]));
  return shop.hotbags.requests.flatMap(({ key }) => names.get(key ?? "") ?? []).sort();
}

/** Resolves when each of these messages was POSTed once and answered, and nothing but the answers has left the bot for their chats. */
async function settled(sent: readonly Sent[]) {
  const words = sent.map(({ chat, text }) => `${chat} ${text}`).sort();
  await expect.poll(() => posts(sent), { timeout: SETTLED_MS }).toEqual(words);
  await expect.poll(() => left(sent), { timeout: SETTLED_MS }).toEqual(replies(sent));
}

const readReceipts = (sent: readonly Sent[]) =>
  shop.whatsapp.receipts.filter(({ kind, id }) => kind === "read" && sent.some((message) => message.id === id));

const read = (sent: readonly Sent[]) =>
  until("all are read", () => readReceipts(sent).length >= sent.length, SETTLED_MS);

/** How many of the chat's messages are in the plugin's outbox, ready to go. */
function ready(chat: string): number {
  const outbox = new DatabaseSync(join(shop.gateway.stateDir, "hotbags", "outbox.sqlite"), { readOnly: true });
  try {
    return Number(outbox.prepare("SELECT count(*) AS n FROM waiting WHERE chat = ? AND held = 0").get(chat)?.["n"]);
  } finally {
    outbox.close();
  }
}

it("every word is a message to Hot Bags, and the customer hears only its replies", async () => {
  const sent = await saysAll(customer());
  await settled(sent);
  await read(sent);
});

it("in a group too", async () => {
  const anna = customer();
  const group = shop.whatsapp.group(GROUPS[0] ?? "", { subject: "Deals", members: [anna, customer()] });
  await settled(await saysAll(anna, group));
});

it("while the sidecar is down the customer hears nothing, and when it is back all reach Hot Bags", async () => {
  await shop.sidecar.stop();
  const anna = customer();
  const sent = await saysAll(anna);
  await until("all wait in the outbox", () => ready(anna.number) === sent.length, SETTLED_MS);
  await read(sent);
  expect(left(sent)).toEqual([]);
  await shop.sidecar.start();
  await settled(sent);
});
