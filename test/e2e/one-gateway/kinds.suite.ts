import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { BOT_NUMBER } from "../../shop/shop.ts";
import { until } from "../../until.ts";
import {
  album,
  beforeHd,
  type Contact,
  type Group,
  image,
  inAlbum,
  inHd,
  type PostOptions,
  type Sent,
  voice,
} from "../../whatsapp/index.ts";
import { addressesOf } from "../../whatsapp/jid.ts";
import { DROPPED, file, KINDS } from "./kinds.ts";
import { shop } from "./shop.ts";
import { CHANGED, DROPPED_TEXTS, UNCHANGED } from "./texts.ts";

// What Hot Bags gets of each kind of message. `vitest run --project gateway one-gateway -t kinds -u` writes the examples in docs/contract
// anew.
let anna: Contact;
let ben: Contact;
let group: Group;

beforeAll(() => {
  anna = shop.newCustomer({ name: "Anna" });
  ben = shop.newCustomer({ name: "Ben" });
  group = shop.newGroup({ subject: "Deals", members: [anna, ben] });
});

/** The message at Hot Bags. */
const received = ({ id }: Sent) => shop.hotbags.receives(({ message_id }) => message_id === id, { timeoutMs: 30_000 });

/** Nothing of it came to Hot Bags; to be asked when a later message of that chat is there. */
const cameAt = ({ id }: Sent) => shop.hotbags.requests.some(({ key }) => key === id);

/** An id and a time that are the same in every run, so that the examples are too. `n`: each its own. */
function post(n: number, options: PostOptions = {}): PostOptions {
  return { id: `3A${String(n).padStart(18, "0")}`, at: new Date(Date.UTC(2026, 0, 5, 10, n)), ...options };
}

/** Compares the very body that Hot Bags received with its example. `stable`: what differs in each run, and what stands for it. */
async function expectExample(name: string, sent: Sent, stable: Record<string, string> = {}): Promise<void> {
  const body = shop.hotbags.requests.find(({ key }) => key === sent.id)?.rawBody.toString("utf8") ?? "";
  let example = `${JSON.stringify(JSON.parse(body), null, 2)}\n`;
  for (const [volatile, placeholder] of Object.entries(stable)) example = example.replaceAll(volatile, placeholder);
  for (const path of [shop.gateway.stateDir, process.cwd(), "/media/inbound"]) expect(example).not.toContain(path);
  const path = fileURLToPath(new URL(`../../../docs/contract/${name}.json`, import.meta.url));
  await expect(example).toMatchFileSnapshot(path);
}

describe("a kind of message", () => {
  it.each(KINDS)("$name arrives as its example says", async (kind) => {
    const { name, content, text = "", media, raw = {} } = kind;
    const sent = await anna.sends(content, post(KINDS.indexOf(kind)));
    const message = await received(sent);
    expect(message).toMatchObject({
      message_id: sent.id,
      chat_id: anna.number,
      from: anna.number,
      text,
      media: media === undefined ? [] : [media],
      timestamp: sent.at.toISOString(),
      raw: { ...raw, ChatType: "direct", SenderName: "Anna" },
    });
    await expectExample(name, sent);
  });

  it.each(DROPPED)("never reaches Hot Bags: %s", async (_, content) => {
    const dropped = await anna.sends(content);
    await received(await anna.says("the next message of this chat"));
    expect(cameAt(dropped)).toBe(false);
  });
});

describe("a picture that phones send in parts", () => {
  const JPEG = { type: "image", mime_type: "image/jpeg" };

  it("in HD comes as two messages: the caption with the small one, the details with the large one", async () => {
    const small = file("photo.jpg");
    const large = Buffer.concat([small, Buffer.from("and more pixels")]);
    const first = await anna.sends(beforeHd(image(small, { caption: "This one" })), post(40));
    const second = await anna.sends(inHd(image(large), first), post(41));
    const messages = [await received(first), await received(second)];
    expect(messages).toMatchObject([
      { text: "This one", media: [{ ...JPEG, size_bytes: small.length }] },
      { text: "", media: [{ ...JPEG, size_bytes: large.length }] },
    ]);
    await expectExample("image-in-hd-1", first);
    await expectExample("image-in-hd-2", second);
  });

  it("as an album comes as one message for each picture, in order", async () => {
    const frame = await anna.sends(album(2));
    const sent: Sent[] = [];
    for (const caption of ["red", "blue"])
      sent.push(await anna.sends(inAlbum(image(file("photo.jpg"), { caption }), frame)));
    const messages = await Promise.all(sent.map(received));
    expect(messages).toMatchObject(["red", "blue"].map((text) => ({ text, media: [JPEG] })));
    const ids = shop.hotbags.accepted.map(({ message_id }) => message_id);
    expect(ids.filter((id) => sent.some((message) => message.id === id))).toEqual(sent.map(({ id }) => id));
    expect(cameAt(frame)).toBe(false);
  });
});

/** What a quote is seen by in `raw`. */
const quoteOf = (quoted: { id: string }, body: string) => ({ ReplyToId: quoted.id, ReplyToBody: body });

describe("a quoted reply", () => {
  it("to the bot carries the bot's words and their id", async () => {
    shop.hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "Two left." }]);
    await anna.says("How many?");
    const answer = await anna.hears("Two left.");
    const sent = await anna.says("I take both", { ...post(30), quote: answer });
    const message = await received(sent);
    expect(message).toMatchObject({ text: "I take both", media: [], raw: quoteOf(answer, "Two left.") });
    await expectExample("quote", sent, { [answer.id]: "3EB0000000000000000000" });
  });

  it("to another customer, in a group, carries that one's words", async () => {
    const asked = await ben.says("Who has the red one?", post(31, { in: group }));
    await received(asked);
    const sent = await anna.says("I do", { ...post(32, { in: group }), quote: asked });
    expect(await received(sent)).toMatchObject({ from: anna.number, raw: quoteOf(asked, "Who has the red one?") });
    await expectExample("quote-in-a-group", sent);
  });

  it("to a picture brings the picture along, and says so", async () => {
    const shown = await anna.sends(image(file("photo.jpg"), { caption: "Mine" }), post(33));
    expect((await received(shown)).raw).not.toHaveProperty("_quoted_media");
    const sent = await anna.says("Is this one still there?", { ...post(34), quote: shown });
    expect(await received(sent)).toMatchObject({
      text: "Is this one still there?",
      media: [{ type: "image", mime_type: "image/jpeg" }],
      raw: { ...quoteOf(shown, "Mine\n<media:image>"), _quoted_media: true },
    });
    await expectExample("quote-of-a-picture", sent);
  });

  it("to a picture by a voice message brings the voice message alone", async () => {
    const shown = await anna.sends(image(file("photo.jpg")));
    const sent = await anna.sends(voice(file("voice.ogg"), { quote: shown }));
    const message = await received(sent);
    expect(message.media).toMatchObject([{ type: "audio" }]);
    expect(message.raw).not.toHaveProperty("_quoted_media");
  });

  it("to a very long text names the text that is left out", async () => {
    const long = await anna.says("x".repeat(20_000));
    const sent = await anna.says("Too long", { quote: long });
    expect((await received(sent)).raw).toMatchObject({ ReplyToId: long.id, _omitted: ["ReplyToBody"] });
  });
});

describe("in a group", () => {
  it("the chat is the group, the sender the person, and the answer goes to the group", async () => {
    shop.hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "Hello, all." }]);
    const before = anna.heard.length;
    const sent = await anna.says("Hello, is anybody there?", post(35, { in: group }));
    expect(await received(sent)).toMatchObject({
      chat_id: group.id,
      from: anna.number,
      text: "Hello, is anybody there?",
      raw: { ChatType: "group", GroupSubject: "Deals", SenderName: "Anna", WasMentioned: false },
    });
    const answer = await group.hears("Hello, all.");
    expect(anna.heard).toHaveLength(before);
    shop.hotbags.answers(() => []);
    const quoting = await anna.says("Good", { in: group, quote: answer });
    expect((await received(quoting)).raw).toMatchObject({ ...quoteOf(answer, "Hello, all."), WasMentioned: true });
    await expectExample("group", sent);
  });

  it("a mention of the bot is told, and stands in the text as WhatsApp writes it", async () => {
    const text = `@${addressesOf(BOT_NUMBER).lid.replace("@lid", "")} how much is it?`;
    const sent = await anna.says(text, { ...post(36, { in: group }), mention: true });
    expect(await received(sent)).toMatchObject({ chat_id: group.id, text, raw: { WasMentioned: true } });
    await expectExample("mention", sent);
  });

  it("that the operator has not named nothing is forwarded, and the log names the group", async () => {
    const family = shop.whatsapp.group("120363000000000050@g.us", { subject: "Family", members: [anna, ben] });
    const [first, second] = [await anna.says("private", { in: family }), await ben.says("too", { in: family })];
    await until("the log file names the group", async () =>
      (await readFile(join(dirname(shop.gateway.configPath), "openclaw.log"), "utf8")).includes(`${family.id} not in`),
    );
    await Promise.all([first.received(), second.received()]);
    for (const who of [anna, ben]) await received(await who.says("the next message of this person", { in: group }));
    expect([first, second].map(cameAt)).toEqual([false, false]);
  });

  it("nothing is forwarded of a member whom the operator has not allowed", async () => {
    const eve = shop.whatsapp.contact("+15550009999", { name: "Eve" });
    const mixed = shop.newGroup({ subject: "Mixed", members: [anna, eve] });
    const stranger = await eve.says("let me in", { in: mixed });
    const friend = await anna.says("the next message of this group", { in: mixed });
    await stranger.received();
    expect(await received(friend)).toMatchObject({ chat_id: mixed.id });
    expect(cameAt(stranger)).toBe(false);
  });
});

describe("a text", () => {
  it.each(UNCHANGED)("goes through unchanged: %s", async (_, text) => {
    const message = await received(await ben.says(text));
    expect(message.text === text).toBe(true);
    expect(message.raw).toMatchObject({ ChatType: "direct", SenderName: "Ben", SenderE164: ben.number });
  });

  it.each(CHANGED)("is changed by OpenClaw: %s", async (_, text, changed) => {
    expect((await received(await ben.says(text))).text).toBe(changed);
  });

  it.each(DROPPED_TEXTS)("is dropped by OpenClaw: %s", async (_, text) => {
    const dropped = await ben.says(text);
    await received(await ben.says("the next message of this chat"));
    expect(cameAt(dropped)).toBe(false);
  });
});
