import { randomBytes } from "node:crypto";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { BareBot } from "./bare-bot.ts";
import {
  audio,
  credentialsFolder,
  disappearing,
  document,
  gif,
  image,
  startWhatsApp,
  video,
  viewOnce,
  voice,
  type WhatsApp,
  type WhatsAppEvent,
  withheld,
} from "./index.ts";

const GROUP_ID = "120363000000000001@g.us";
const NUMBER = "+15559990000";
const TIMEOUT_MS = 20_000;

let stateDir: string;
let whatsapp: WhatsApp;
let bot: BareBot;

async function start(): Promise<void> {
  stateDir = await mkdtemp(join(tmpdir(), "whatsapp-"));
  // The bare Baileys has its listeners attached from the start: there is nothing to wait for.
  whatsapp = await startWhatsApp({ delivery: "at once" });
  await whatsapp.link(stateDir, { number: NUMBER });
  bot = new BareBot(whatsapp, folder());
  await whatsapp.online();
}

async function stop(): Promise<void> {
  await bot.kill();
  await whatsapp.close();
  await rm(stateDir, { recursive: true, force: true });
}

function folder(accountId = "default"): string {
  return credentialsFolder(stateDir, accountId);
}

/** What the bot has heard directly from somebody, or in a group. */
const heardIn = (chat: string) => bot.heard.filter((message) => message.chat === chat);
const textsIn = (chat: string) => heardIn(chat).map(({ text }) => text);
/** What the bot has sent to these chats, in order. */
const sentTo = (...chats: string[]) => whatsapp.sent.filter(({ chat }) => chats.includes(chat));
const undecryptedIn = (chat: string) => whatsapp.undecrypted.filter((message) => message.chat === chat);

/** The next event of that type. */
function next(type: WhatsAppEvent["type"]): Promise<void> {
  return new Promise((resolve) => {
    const off = whatsapp.onEvent((event) => {
      if (event.type !== type) return;
      off();
      resolve();
    });
  });
}

test("a bot without an account shows a code; when a phone has scanned it, it is linked and hears", async () => {
  stateDir = await mkdtemp(join(tmpdir(), "whatsapp-"));
  whatsapp = await startWhatsApp({ delivery: "at once" });
  bot = new BareBot(whatsapp, folder());
  try {
    await bot.until(() => bot.codes.length === 1);
    const [code = ""] = bot.codes;
    await expect(whatsapp.scan(code.replace("#2@", "#3@"), { number: NUMBER })).rejects.toThrow("nobody waits");
    await whatsapp.scan(code, { number: NUMBER });
    await whatsapp.online();
    expect(bot.closed).toEqual([515]);
    const anna = whatsapp.contact("+15550001");
    await bot.send(anna.number, "linked");
    await anna.hears("linked");
  } finally {
    await stop();
  }
}, 60_000);

// One bot for all of these: each has its own contacts and groups, and looks at those only.
describe("a linked bot", { timeout: TIMEOUT_MS }, () => {
  beforeAll(start, TIMEOUT_MS);
  beforeEach(async () => {
    whatsapp.refuse(false);
    await whatsapp.online();
  });
  afterAll(stop);

  test("logs in without a QR, hears a contact and is heard", async () => {
    const anna = whatsapp.contact("+15550001", { name: "Anna" });
    const sent = await anna.says("hi");
    expect(await sent.received()).toMatchObject({ kind: "delivery", id: sent.id, author: "+15550001" });
    await bot.until(() => heardIn(anna.addresses.lid).length === 1);
    expect(heardIn(anna.addresses.lid)).toMatchObject([{ id: sent.id, text: "hi", live: true }]);

    const id = await bot.send("+15550001", "hello");
    expect(await anna.hears("hello")).toMatchObject({ id, chat: "+15550001", outcome: "ack", delivered: true });
    expect(anna.heard).toEqual(sentTo("+15550001"));
    expect(whatsapp.contact("+15550001")).toBe(anna);
  });

  test("hears and is heard in a group, by every member", async () => {
    const anna = whatsapp.contact("+15550011");
    const ben = whatsapp.contact("+15550012");
    const group = whatsapp.group(GROUP_ID, { subject: "Deals", members: [anna, ben] });
    // One after the other: Baileys can put the first messages of new contacts out of order.
    const first = await anna.says("one", { in: group });
    await first.received();
    await (await ben.says("two", { in: group, quote: first, mention: true })).received();
    await (await anna.says("three", { in: group })).received();
    await bot.until(() => heardIn(GROUP_ID).length === 3);
    expect(textsIn(GROUP_ID)).toEqual(["one", "two", "three"]);
    expect(heardIn(GROUP_ID)[1]).toMatchObject({ participant: ben.addresses.lid, quotedId: first.id });

    await bot.send(GROUP_ID, "hello all");
    await bot.send(GROUP_ID, "again");
    expect((await group.hears("again")).chat).toBe(GROUP_ID);
    expect(group.heard.map(({ text }) => text)).toEqual(["hello all", "again"]);
    expect(anna.heard).toEqual([]);
    expect(undecryptedIn(GROUP_ID)).toEqual([]);
  });

  test("gets a copy of what its owner writes to a contact on the phone, and is answered on", async () => {
    const anna = whatsapp.contact("+15550016");
    const sent = await whatsapp.owner().says("I take care of it", { chat: anna });
    expect(await sent.received()).toMatchObject({ kind: "delivery", id: sent.id, author: NUMBER });
    await bot.until(() => heardIn(anna.addresses.lid).length === 1);
    expect(heardIn(anna.addresses.lid)).toMatchObject([
      { id: sent.id, text: sent.text, alsoKnownAs: anna.addresses.pn },
    ]);
    await bot.send(anna.number, "and so do I");
    await anna.hears("and so do I");
    expect(anna.heard).toHaveLength(1);
  });

  test("is addressed by phone number where that is asked for", async () => {
    const anna = whatsapp.contact("+15550021");
    await (await anna.says("by number", { addressing: "pn" })).received();
    await (await anna.says("by LID")).received();
    await bot.until(() => heardIn(anna.addresses.lid).length + heardIn(anna.addresses.pn).length === 2);
    expect(textsIn(anna.addresses.pn)).toEqual(["by number"]);
    expect(textsIn(anna.addresses.lid)).toEqual(["by LID"]);
  });

  test("writes to numbers that aren't on WhatsApp: recorded, heard by nobody", async () => {
    whatsapp.contact("+15550031", { registered: false });
    await bot.send("+15550031", "anybody?");
    await bot.send("+15550032", "you?");
    const anna = whatsapp.contact("+15550033");
    await bot.send("+15550033", "and Anna?");
    // The server takes one message of a bot after the other: the earlier ones are recorded by then.
    await anna.hears("and Anna?");
    expect(sentTo("+15550031", "+15550032", "+15550033")).toMatchObject([
      { chat: "+15550031", text: "anybody?", delivered: false },
      { chat: "+15550032", text: "you?", delivered: false },
      { chat: "+15550033", delivered: true },
    ]);
  });

  test("is told apart from another account of the server", async () => {
    const anna = whatsapp.contact("+15550041");
    await whatsapp.link(stateDir, { number: "+15559990001", accountId: "second" });
    const second = new BareBot(whatsapp, folder("second"));
    try {
      await whatsapp.online(undefined, "second");
      await (await anna.says("to the second", { to: "second" })).received();
      await second.send("+15550041", "from the second");
      expect(await anna.hears()).toMatchObject({ text: "from the second", accountId: "second" });
      expect(textsIn(anna.addresses.lid)).toEqual([]);
    } finally {
      await second.kill();
    }
  });

  test("catches up after a drop, in order, and tells live messages from the backlog", async () => {
    const anna = whatsapp.contact("+15550051");
    await (await anna.says("before")).received();
    whatsapp.refuse(true);
    whatsapp.drop();
    const backlog = await Promise.all(["a", "b", "c"].map((body) => anna.says(body)));
    expect(backlog.map(({ deliveries }) => deliveries)).toEqual([0, 0, 0]);
    whatsapp.refuse(false);
    await Promise.all(backlog.map((sent) => sent.received()));
    await whatsapp.online();
    await (await anna.says("after")).received();

    await bot.until(() => heardIn(anna.addresses.lid).length === 5);
    expect(textsIn(anna.addresses.lid)).toEqual(["before", "a", "b", "c", "after"]);
    expect(heardIn(anna.addresses.lid).map(({ live }) => live)).toEqual([true, false, false, false, true]);
  });

  test("hears a burst of a known contact in order", async () => {
    const anna = whatsapp.contact("+15550061");
    await (await anna.says("hi")).received();
    const bodies = Array.from({ length: 100 }, (_, index) => `m${index}`);
    const burst = await Promise.all(bodies.map((body) => anna.says(body)));
    await Promise.all(burst.map((sent) => sent.received()));
    await bot.until(() => heardIn(anna.addresses.lid).length === 101);
    expect(textsIn(anna.addresses.lid).slice(1)).toEqual(bodies);
  });

  test("gets a message again under its id", async () => {
    const anna = whatsapp.contact("+15550071");
    const sent = await anna.says("twice");
    await sent.received();
    await (await whatsapp.redeliver(sent)).received();
    await bot.until(() => heardIn(anna.addresses.lid).length === 2);
    expect(heardIn(anna.addresses.lid).map(({ id }) => id)).toEqual([sent.id, sent.id]);
  });

  test("gets media, which it downloads from the server", async () => {
    const anna = whatsapp.contact("+15550121");
    const bytes = randomBytes(100_000);
    const contents = [
      image(bytes, { caption: "look" }),
      document(bytes, { fileName: "a.pdf" }),
      document(bytes, { fileName: "a.pdf", caption: "read" }),
      voice(bytes),
      audio(bytes),
      gif(bytes),
      viewOnce(image(bytes)),
      disappearing(video(bytes)),
    ];
    const ids: string[] = [];
    for (const content of contents) {
      const sent = await anna.sends(content);
      await sent.received();
      ids.push(sent.id);
    }
    await bot.until(() => heardIn(anna.addresses.lid).length === contents.length);
    // By id: the bot tells of a file when it has downloaded it, and downloads end in any order.
    const heard = ids.map((id) => heardIn(anna.addresses.lid).find((message) => message.id === id));
    const files = heard.map((message) => message && Buffer.from(message.file ?? "", "base64").equals(bytes));
    expect(files).toEqual(contents.map(() => true));
    expect(heard.map((message) => message?.text)).toEqual(contents.map(({ text }) => text || undefined));
  });

  test("is told that a message which can be viewed once is not for it", async () => {
    const anna = whatsapp.contact("+15550122");
    const message = await anna.sends(withheld(image(randomBytes(100))));
    await (await anna.says("afterwards")).received();
    await bot.until(() => heardIn(anna.addresses.lid).length === 1);
    expect(textsIn(anna.addresses.lid)).toEqual(["afterwards"]);
    expect(message.deliveries).toBe(1);
  });

  test("sends again what a reinstalled phone can't read", async () => {
    const anna = whatsapp.contact("+15550081");
    await (await anna.says("hi")).received();
    await bot.send("+15550081", "hello");
    await anna.hears("hello");
    anna.reinstalls();
    const id = await bot.send("+15550081", "readable?");
    await anna.hears("readable?");
    expect(undecryptedIn("+15550081")).toMatchObject([{ id, reader: "+15550081", resolved: true }]);
    expect(anna.heard.map(({ text }) => text)).toEqual(["hello", "readable?"]);
  });

  test("isn't told by the server when its message is refused, taken silently or lost", async () => {
    const anna = whatsapp.contact("+15550091");
    const outcomes = ["error", "silent", "lost"] as const;
    whatsapp.onSend = ({ text }) => outcomes.find((outcome) => outcome === text) ?? "ack";
    onTestFinished(() => {
      whatsapp.onSend = () => "ack";
    });
    for (const outcome of [...outcomes, "ack"]) await bot.send("+15550091", outcome);
    await anna.hears("ack");
    expect(anna.heard.map(({ text }) => text)).toEqual(["silent", "ack"]);
    expect(sentTo("+15550091").map(({ outcome, delivered }) => [outcome, delivered])).toEqual([
      ["error", false],
      ["silent", true],
      ["lost", false],
      ["ack", true],
    ]);
  });

  test("isn't heard while its sends are paused", async () => {
    const anna = whatsapp.contact("+15550101");
    const release = whatsapp.pauseSends();
    onTestFinished(release);
    await bot.send("+15550101", "wait");
    await (await anna.says("meanwhile")).received();
    expect(anna.heard).toEqual([]);
    release();
    await anna.hears("wait");
  });

  test("leaves whoever waits in vain with a list of what did arrive", async () => {
    const anna = whatsapp.contact("+15550111", { name: "Anna" });
    await bot.send("+15550111", "something else");
    await anna.hears("something else");
    const vain = anna.hears("this", { timeoutMs: 1 });
    await expect(vain).rejects.toThrow(
      /Anna \(\+15550111\) did not hear "this" .*\n.*"something else" \(heard before\)/,
    );
    whatsapp.refuse(true);
    whatsapp.drop();
    const unread = await anna.says("unread");
    await expect(unread.received(1)).rejects.toThrow("no delivery receipt");
    whatsapp.refuse(false);
    await unread.received();
  });
});

describe("a bot", { timeout: TIMEOUT_MS }, () => {
  beforeEach(start, TIMEOUT_MS);
  afterEach(stop);

  test("goes on after a crash", async () => {
    const anna = whatsapp.contact("+15550001");
    await (await anna.says("hi")).received();
    await bot.send("+15550001", "hello");
    await anna.hears("hello");
    const gone = next("disconnected");
    await bot.kill();
    await gone;
    const missed = await anna.says("still there?");
    bot = new BareBot(whatsapp, folder());
    await missed.received();
    await bot.send("+15550001", "yes");
    await anna.hears("yes");
    await bot.until(() => bot.heard.length === 1);
    expect(whatsapp.receipts.filter(({ kind }) => kind === "retry")).toEqual([]);
  });

  test("that lost its newest Signal state is understood again, and understands", async () => {
    const anna = whatsapp.contact("+15550001");
    const group = whatsapp.group(GROUP_ID, { members: [anna] });
    await bot.send("+15550001", "hello");
    await bot.send(GROUP_ID, "hello all");
    await group.hears("hello all");
    await (await anna.says("hi")).received();
    const older = join(stateDir, "older");
    await cp(folder(), older, { recursive: true });

    // The ratchets turn further, then the bot falls back to the copy.
    await bot.send("+15550001", "how are you?");
    await bot.send(GROUP_ID, "how are you all?");
    await group.hears("how are you all?");
    await (await anna.says("fine")).received();
    whatsapp.replaced();
    await bot.until(() => bot.closed.length === 1);
    bot.connect(older);
    await bot.send(GROUP_ID, "from the past");
    await group.hears("from the past");
    await bot.send("+15550001", "me too");
    await anna.hears("me too");
    await (await anna.says("welcome back")).received();
    await bot.until(() => textsIn(anna.addresses.lid).includes("welcome back"));

    expect(whatsapp.undecrypted).toMatchObject([{ reader: "+15550001", chat: GROUP_ID, resolved: true }]);
    expect(group.heard.map(({ text }) => text)).toEqual(["hello all", "how are you all?", "from the past"]);
  });

  test("that can't read a message gets it encrypted again", async () => {
    const anna = whatsapp.contact("+15550001");
    const group = whatsapp.group(GROUP_ID, { members: [anna] });
    await (await anna.says("hi")).received();
    await (await anna.says("hi all", { in: group })).received();
    whatsapp.replaced();
    await bot.until(() => bot.closed.length === 1);
    const session = anna.addresses.lid.replace("@lid", "_1");
    await rm(join(folder(), `session-${session}.0.json`));
    await rm(join(folder(), `sender-key-${GROUP_ID}--${session}--0.json`));

    bot.connect(folder());
    const direct = await anna.says("readable?");
    const inGroup = await anna.says("all readable?", { in: group });
    await Promise.all([direct.received(), inGroup.received()]);
    await bot.until(() => textsIn(GROUP_ID).length === 2 && textsIn(anna.addresses.lid).length === 2);
    expect(textsIn(GROUP_ID)).toEqual(["hi all", "all readable?"]);
    expect(textsIn(anna.addresses.lid)).toEqual(["hi", "readable?"]);
    const asked = whatsapp.receipts.filter(({ kind }) => kind === "retry").map(({ id }) => id);
    expect(asked).toEqual(expect.arrayContaining([direct.id, inGroup.id]));
  });

  test("asks for a message again that a contact sends unreadable, and then has it once", async () => {
    const anna = whatsapp.contact("+15550001");
    await (await anna.says("hi")).received();
    const sent = await anna.says("garbled", { unreadable: true });
    await sent.received();
    await bot.until(() => textsIn(anna.addresses.lid).length === 2);
    expect(textsIn(anna.addresses.lid)).toEqual(["hi", "garbled"]);
    expect(whatsapp.receipts.filter(({ kind }) => kind === "retry").map(({ id }) => id)).toEqual([sent.id]);
  });

  test("that is logged out can't come back until it is linked again", async () => {
    const anna = whatsapp.contact("+15550001");
    await (await anna.says("hi")).received();
    await whatsapp.logout();
    await bot.until(() => bot.closed.length === 1);
    bot.connect(folder());
    await bot.until(() => bot.closed.length === 2);
    expect(bot.closed).toEqual([401, 401]);
    await expect(whatsapp.online(1)).rejects.toThrow("logged out");

    await whatsapp.link(stateDir, { number: NUMBER });
    bot.connect(folder());
    await whatsapp.online();
    await (await anna.says("hi again")).received();
    await bot.send("+15550001", "hello");
    await anna.hears("hello");
  });

  test("gives way to another client with its credentials", async () => {
    whatsapp.replaced();
    await bot.until(() => bot.closed.length === 1);
    bot.connect(folder());
    await whatsapp.online();
    bot.connect(folder());
    await bot.until(() => bot.closed.length === 2);
    expect(bot.closed).toEqual([440, 440]);
  });
});
