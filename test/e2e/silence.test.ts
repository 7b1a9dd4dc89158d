import { rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { COMMAND_WORDS } from "../openclaw/command-words.ts";
import type { ConfigPatch } from "../openclaw/config.ts";
import { type Model, startModel } from "../openclaw/model.ts";
import { openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Contact, Group, Sent } from "../whatsapp/index.ts";

// With the plugin. Every word reaches Hot Bags with one POST, and all that WhatsApp has ever got from the bot are Hot Bags' replies. Each
// test compares the record of its own chats, and the last one that of all. The gateway's restarts are conditions themselves.
const SETTLED_MS = 60_000;
const IN_MEMORY = /outbox cannot be used, (\d+) message\(s\) wait in memory/;

let shop: Shop;
let model: Model;
const said: Sent[] = [];

beforeAll(async () => {
  model = await startModel();
  shop = await openShop();
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: replyTo(text) },
  ]);
});
afterAll(async () => {
  await shop?.close();
  await model?.close();
});
afterEach(() => expect(shop.hotbags.violations).toEqual([]));

const customer = () => shop.newCustomer();

const replyTo = (text: string) => `Hot Bags on ${text}`;

async function says(word: string, anna: Contact, group?: Group): Promise<Sent> {
  const sent = await anna.says(word, group === undefined ? {} : { in: group });
  said.push(sent);
  return sent;
}

/** All words at once, while nobody answers. */
async function saysAll(anna: Contact): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const word of COMMAND_WORDS) sent.push(await says(word, anna));
  return sent;
}

/**
 * All words, each after the reply to the one before: who writes in the instant in which a reply goes out to them can be lost by Baileys,
 * before any hook (docs/limits.md).
 */
async function conversesInAll(anna: Contact, group?: Group): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (const word of COMMAND_WORDS) {
    sent.push(await says(word, anna, group));
    await (group ?? anna).hears(replyTo(word), { timeoutMs: SETTLED_MS });
  }
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

/** Stops the gateway with SIGTERM, changes what is to be changed meanwhile, and starts it again. */
async function restartGateway(configure: ConfigPatch, files?: () => Promise<void>) {
  await shop.gateway.stop();
  await shop.gateway.configure(configure);
  await files?.();
  await shop.restartGateway();
}

it("every word is a message to Hot Bags, and the customer hears only its replies", async () => {
  const sent = await conversesInAll(customer());
  await settled(sent);
  await read(sent);
});

it("in a group too", async () => {
  const anna = customer();
  const group = shop.newGroup({ subject: "Deals", members: [anna, customer()] });
  await settled(await conversesInAll(anna, group));
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

it("when the gateway is stopped with messages under way, and starts without an outbox that it can write", async () => {
  const folder = join(shop.gateway.stateDir, "hotbags");
  await shop.sidecar.stop();
  const before = await saysAll(customer());
  await read(before);
  await restartGateway(
    (config) => {
      // From now on there is a model too, with its key: nobody shall ever ask it.
      model.configure(config);
      // Its console then tells what a hook has kept back.
      config.logging = { ...config.logging, consoleLevel: "debug" };
    },
    async () => {
      await rename(folder, `${folder}-whole`);
      await writeFile(`${folder}-broken`, "a file where the outbox's folder should be");
      await symlink(`${folder}-broken`, folder);
    },
  );
  await shop.sidecar.start();
  // A hook that can't write blocks its chat for a while: so each word comes from another customer.
  const sent: Sent[] = [];
  for (const word of COMMAND_WORDS) sent.push(await says(word, customer()));
  // It says so once a minute, and began at the start, when there were none.
  const waiting = () => Math.max(...shop.gateway.logs.map((line) => Number(IN_MEMORY.exec(line)?.[1] ?? 0)));
  await until("all wait in the plugin's memory", () => waiting() >= sent.length, 120_000);
  expect(posts(sent)).toEqual([]);
  expect(left(sent)).toEqual([]);
  // In one step: the plugin, which tries again each second, must not find the place empty.
  await symlink(`${folder}-whole`, `${folder}-new`);
  await rename(`${folder}-new`, folder);
  await settled([...before, ...sent]);
}, 240_000);

it("when the gateway is killed, and comes back with the plugin's own lock alone: without session.sendPolicy, with chat commands allowed", async () => {
  await shop.sidecar.stop();
  const before = await saysAll(customer());
  await read(before);
  const warned = shop.gateway.logged(/add to openclaw\.json: session: \{sendPolicy: /, { timeoutMs: 120_000 });
  await shop.gateway.kill();
  await shop.gateway.configure((config) => {
    delete (config["session"] as Record<string, unknown>)["sendPolicy"];
    delete (config["commands"] as Record<string, unknown>)["allowFrom"];
    config.channels.whatsapp["sendReadReceipts"] = false;
    return config;
  });
  await Promise.all([shop.restartGateway(), shop.sidecar.start()]);
  await warned;
  await settled(before);
  const sent = await conversesInAll(customer());
  await settled([...before, ...sent]);
  expect(shop.gateway.logs.some((line) => line.includes("reply_payload_sending cancel=true"))).toBe(true);
  // Without blue ticks, as configured; with them everywhere above.
  expect(readReceipts(sent)).toEqual([]);
}, 240_000);

it("after all that, when the gateway has ended: no word more has left the bot, and no model was asked", async () => {
  await shop.gateway.stop();
  expect(shop.whatsapp.sent.map(({ chat, text }) => `${chat} ${text}`).sort()).toEqual(replies(said));
  expect(shop.hotbags.requests.map(({ key }) => key).sort()).toEqual(said.map(({ id }) => id).sort());
  expect(model.asked).toBe(0);
  // It was stopped each time while the sidecar ran: none of that is taken for a death.
  expect(shop.sidecar.lines.filter((line) => line["alert"] === "gateway_died")).toEqual([]);
  // "typing…" is shown for a reply and for nothing else.
  const typing = shop.whatsapp.chatStates.filter(({ state }) => state === "composing").map(({ chat }) => chat);
  expect(typing.sort()).toEqual(said.map(({ chat }) => chat).sort());
});
