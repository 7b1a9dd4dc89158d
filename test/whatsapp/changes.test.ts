import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BareBot } from "./bare-bot.ts";
import { credentialsFolder, startWhatsApp, type WhatsApp } from "./index.ts";

// What a contact does to messages that are there already, as the real Baileys understands it; OpenClaw may make something else of it.

let stateDir: string;
let whatsapp: WhatsApp;
let bot: BareBot;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "whatsapp-"));
  whatsapp = await startWhatsApp({ delivery: "at once" });
  await whatsapp.link(stateDir, { number: "+15559990000" });
  bot = new BareBot(whatsapp, credentialsFolder(stateDir, "default"));
  await whatsapp.online();
});
afterAll(async () => {
  await bot?.kill();
  await whatsapp?.close();
  await rm(stateDir, { recursive: true, force: true });
});

const noticedOf = (id: string) => bot.noticed.filter((change) => change.id === id);

test("a contact reacts to a message of the bot, and takes the reaction back", async () => {
  const anna = whatsapp.contact("+15550021");
  await anna.says("hi");
  const id = await bot.send("+15550021", "hello");
  const hello = await anna.hears("hello");
  await (await anna.reacts("👍", hello)).received();
  await (await anna.reacts("", hello)).received();
  await bot.until(() => noticedOf(id).length === 2);
  expect(noticedOf(id)).toEqual([
    { id, fromMe: true, what: "reaction", text: "👍" },
    { id, fromMe: true, what: "reaction", text: "" },
  ]);
});

test("a contact reacts to a message of somebody else in a group", async () => {
  const [anna, ben] = [whatsapp.contact("+15550022"), whatsapp.contact("+15550023")];
  const group = whatsapp.group("120363000000000002@g.us", { members: [anna, ben] });
  const sent = await anna.says("who comes?", { in: group });
  await (await ben.reacts("🙋", sent, { in: group })).received();
  await bot.until(() => noticedOf(sent.id).length === 1);
  expect(noticedOf(sent.id)).toEqual([{ id: sent.id, fromMe: false, what: "reaction", text: "🙋" }]);
});

test("a contact edits a message, then deletes it for everyone", async () => {
  const anna = whatsapp.contact("+15550024");
  const sent = await anna.says("tow bags");
  const edited = await anna.edits(sent, "two bags");
  await edited.received();
  const deleted = await anna.deletes(sent);
  await deleted.received();
  await bot.until(() => noticedOf(sent.id).length === 2);
  expect(noticedOf(sent.id)).toEqual([
    { id: sent.id, fromMe: false, what: "edit", text: "two bags" },
    { id: sent.id, fromMe: false, what: "deletion", text: "" },
  ]);
  expect(new Set([sent.id, edited.id, deleted.id]).size).toBe(3);
});

test("a contact's number stays unknown to a bot that gets its messages by LID only", async () => {
  const [hidden, shown] = [whatsapp.contact("+15550025"), whatsapp.contact("+15550026")];
  const sent = [await hidden.says("guess who", { addressing: "lid only" }), await shown.says("it's me")];
  for (const each of sent) await each.received();
  const heardOf = ({ id }: { id: string }) => bot.heard.find((message) => message.id === id);
  await bot.until(() => sent.every(heardOf));
  expect(sent.map((each) => heardOf(each)?.chat)).toEqual([hidden.addresses.lid, shown.addresses.lid]);
  expect(sent.map((each) => heardOf(each)?.alsoKnownAs)).toEqual([undefined, shown.addresses.pn]);
});
