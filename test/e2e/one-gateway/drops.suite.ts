import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writtenDown } from "../../openclaw/ingress.ts";
import { until } from "../../until.ts";
import type { Contact, Sent } from "../../whatsapp/index.ts";
import { crash, shop } from "./shop.ts";

// What OpenClaw 2026.9.6 keeps from its plugins, one test for each line of docs/limits.md: an upgrade of OpenClaw that changes one fails
// here. That something does not arrive is shown by a later message that does.

const MINUTE_MS = 60_000;

const answer = () =>
  shop.hotbags.answers((message) => [
    { command_id: `re-${message.message_id}`, type: "send_text", text: `re: ${message.text}` },
  ]);

beforeEach(answer);

const customer = () => shop.newCustomer();

/** Says something and resolves with it when the answer of Hot Bags is on the phone: what came before it has been dealt with. */
async function asks(who: Contact, text: string): Promise<Sent> {
  const sent = await who.says(text);
  await who.hears(`re: ${text}`, { timeoutMs: 30_000 });
  return sent;
}

/** Whether Hot Bags has been asked about a message, or the plugin has taken note of it in any way. */
const isKnown = ({ id }: Sent) =>
  shop.hotbags.requests.some(({ key }) => key === id) || shop.gateway.logs.some((line) => line.includes(id));
const textsAtHotBags = ({ number }: Contact) =>
  shop.hotbags.accepted.filter(({ from }) => from === number).map(({ text }) => text);
const wasRead = ({ id }: Sent) =>
  shop.whatsapp.receipts.some((receipt) => receipt.id === id && receipt.kind === "read");

/**
 * Adds a number to allowFrom, and resolves when it is let in. Nothing tells when OpenClaw has taken the new list; it does
 * so while it runs, and stays connected. `meanwhile`: done before each time that the number tries.
 */
async function allow(stranger: Contact, meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
  await shop.gateway.configure(({ channels: { whatsapp } }) => {
    whatsapp.allowFrom.push(stranger.number);
    return undefined;
  });
  await until(
    "a knock is heard",
    async () => {
      await meanwhile();
      const knock = await stranger.says("knock");
      await knock.received();
      return textsAtHotBags(stranger).length > 0;
    },
    30_000,
  );
}

describe("what a customer does to a message that is there already does not arrive:", () => {
  it("a reaction to a reply, nor taking it back", async () => {
    const anna = customer();
    await asks(anna, "hello");
    const [reply] = anna.heard;
    if (!reply) throw new Error("there is no reply to react to");
    const changes = [await anna.reacts("👍", reply), await anna.reacts("", reply)];
    for (const change of changes) await change.received();
    await asks(anna, "did you see it?");
    expect(textsAtHotBags(anna)).toEqual(["hello", "did you see it?"]);
    expect(changes.map(isKnown)).toEqual([false, false]);
    expect(changes.map(wasRead)).toEqual([false, false]);
  });

  it("a reaction to somebody's message in a group", async () => {
    const [anna, ben] = [customer(), customer()];
    const group = shop.newGroup({ members: [anna, ben] });
    const asked = await anna.says("who comes?", { in: group });
    await group.hears("re: who comes?");
    const change = await ben.reacts("🙋", asked, { in: group });
    await change.received();
    await ben.says("me!", { in: group });
    await group.hears("re: me!");
    expect(textsAtHotBags(ben)).toEqual(["me!"]);
    expect(isKnown(change)).toBe(false);
  });

  it("an edit: Hot Bags keeps the first text", async () => {
    const anna = customer();
    const sent = await asks(anna, "tow bags, please");
    const change = await anna.edits(sent, "two bags, please");
    await change.received();
    await asks(anna, "thank you");
    expect(textsAtHotBags(anna)).toEqual(["tow bags, please", "thank you"]);
    expect([isKnown(change), wasRead(change)]).toEqual([false, false]);
  });

  it("a deletion: Hot Bags keeps what was deleted", async () => {
    const anna = customer();
    const sent = await asks(anna, "my card number is none of your business");
    const change = await anna.deletes(sent);
    await change.received();
    await asks(anna, "forget that");
    expect(textsAtHotBags(anna)).toEqual([sent.text, "forget that"]);
    expect([isKnown(change), wasRead(change)]).toEqual([false, false]);
  });
});

describe("a customer whose number WhatsApp does not give", () => {
  it("is not heard, until it has given it once; and is answered from then on", async () => {
    const anna = customer();
    const unheard = await anna.says("do you know me?", { addressing: "lid only" });
    await unheard.received();
    await asks(anna, "here is my number");
    const heard = await anna.says("and now?", { addressing: "lid only" });
    await anna.hears("re: and now?");
    expect(textsAtHotBags(anna)).toEqual(["here is my number", "and now?"]);
    const message = shop.hotbags.accepted.find(({ message_id }) => message_id === heard.id);
    expect(message).toMatchObject({ chat_id: anna.number, from: anna.number });
    expect([isKnown(unheard), wasRead(unheard)]).toEqual([false, false]);
  });

  it("is not heard in a group either", async () => {
    const [anna, hidden] = [customer(), customer()];
    const group = shop.newGroup({ members: [anna, hidden] });
    const unheard = await hidden.says("do you know me?", { in: group, addressing: "lid only" });
    await unheard.received();
    await hidden.says("here is my number", { in: group });
    await group.hears("re: here is my number");
    expect(textsAtHotBags(hidden)).toEqual(["here is my number"]);
    expect(isKnown(unheard)).toBe(false);
  });
});

describe("a number that is not in allowFrom", () => {
  it("is not heard in a group that the operator has allowed, where others are", async () => {
    const [anna, stranger] = [customer(), shop.whatsapp.contact("+15550009901")];
    const group = shop.newGroup({ members: [anna, stranger] });
    const unheard = await stranger.says("and me?", { in: group });
    await unheard.received();
    await anna.says("not you", { in: group });
    await group.hears("re: not you");
    expect([isKnown(unheard), wasRead(unheard)]).toEqual([false, false]);
  });

  it("is not heard, nor answered, and what it wrote stays lost when it is allowed later", async () => {
    const stranger = shop.whatsapp.contact("+15550009902");
    const unheard = await stranger.says("let me in");
    await unheard.received();
    await allow(stranger);
    await asks(stranger, "thank you");
    expect(new Set(textsAtHotBags(stranger))).toEqual(new Set(["knock", "thank you"]));
    expect(new Set(stranger.heard.map(({ text }) => text))).toEqual(new Set(["re: knock", "re: thank you"]));
    expect([isKnown(unheard), wasRead(unheard)]).toEqual([false, false]);
  });
});

describe("what the owner writes on the shop's phone", () => {
  it("to a customer, does not arrive: Hot Bags answers the customer as well", async () => {
    const anna = customer();
    await asks(anna, "is anybody there?");
    const unheard = await shop.whatsapp.owner("default").says("I take care of it", { chat: anna });
    await unheard.received();
    await asks(anna, "thank you");
    expect(textsAtHotBags(anna)).toEqual(["is anybody there?", "thank you"]);
    expect(shop.hotbags.accepted.map(({ text }) => text)).not.toContain(unheard.text);
    expect([isKnown(unheard), wasRead(unheard)]).toEqual([false, false]);
  });
});

describe("a customer with two forms of one number", () => {
  it.each([
    ["Brazil", "+5531987654321", "+553187654321"],
    ["Mexico", "+525512345678", "+5215512345678"],
    ["Argentina", "+541123456789", "+5491123456789"],
  ])(
    "(%s) is not heard by the form that is not in allowFrom, and is another chat once both are",
    async (_, listed, used) => {
      const [byListed, byUsed] = [listed, used].map((number) => shop.whatsapp.contact(number)) as [Contact, Contact];
      const unheard: Sent[] = [];
      await allow(byListed, async () => unheard.push(await byUsed.says("hello?")));
      for (const sent of unheard) await sent.received();
      expect(textsAtHotBags(byUsed)).toEqual([]);
      await allow(byUsed);
      await asks(byUsed, "thank you");
      const chats = shop.hotbags.accepted.filter(({ text }) => text === "thank you").map(({ chat_id }) => chat_id);
      expect(chats).toContain(used);
      expect(textsAtHotBags(byUsed)).not.toContain("hello?");
    },
  );
});

const written = (who: Contact, agoMs: number, text: string) => who.says(text, { at: new Date(Date.now() - agoMs) });

/** Has it written when OpenClaw logs in the next time, so that the way there, of seconds or a minute, does not make it older. */
function atNextLogin(write: () => Promise<Sent>): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const off = shop.whatsapp.onEvent((event) => {
      if (event.type !== "connected" || event.accountId !== "default") return;
      off();
      write().then(resolve, reject);
    });
  });
}

async function isDropped(sent: Sent): Promise<void> {
  await until("the dropped message is marked read", () => wasRead(sent));
  expect(isKnown(sent)).toBe(false);
}

describe("messages that waited at WhatsApp", () => {
  // OpenClaw judges by the time at which a message was written, against that of its connection: nobody has to wait for an hour here.
  it("while the connection was down arrive if they are at most 20 minutes old; older ones are marked read", async () => {
    const anna = customer();
    // Without a message since its start, OpenClaw would take this for a first connection.
    await asks(anna, "hello");
    const lost = atNextLogin(() => written(anna, 25 * MINUTE_MS, "25 minutes ago"));
    const kept = atNextLogin(() => written(anna, 15 * MINUTE_MS, "15 minutes ago"));
    shop.whatsapp.drop();
    await anna.hears(`re: ${(await kept).text}`, { timeoutMs: 60_000 });
    await asks(anna, "just now");
    expect(textsAtHotBags(anna)).toEqual(["hello", "15 minutes ago", "just now"]);
    await isDropped(await lost);
  });
});

it("a message that Baileys can't read at first is lost, though it asks for it again and can read it then", async () => {
  const anna = customer();
  await asks(anna, "hello");
  const lost = await anna.says("the blue one, please", { unreadable: true });
  await lost.received();
  await asks(anna, "and now?");
  expect(textsAtHotBags(anna)).toEqual(["hello", "and now?"]);
  const asked = shop.whatsapp.receipts.filter(({ id, kind }) => id === lost.id && kind === "retry");
  expect([asked.length, lost.deliveries, isKnown(lost)]).toEqual([1, 2, false]);
});

// Stopped, killed in its next start as it is about to write a backlog down, and started again.
describe("after two starts of the gateway,", () => {
  let anna: Contact;
  let longLost: Sent;
  let lost: Sent;
  let kept: Sent;
  let ben: Contact;
  let writtenBefore: Sent;
  let backlog: Sent[];
  let wroteDown: (sent: Sent) => boolean;

  beforeAll(async () => {
    answer();
    [anna, ben] = [customer(), customer()];
    await asks(anna, "hello");
    writtenBefore = await asks(ben, "hello");
    await shop.gateway.stop();
    // A backlog, because its first receipts are on their way for sure when OpenClaw comes to write. Written by a phone whose clock is
    // ahead: two starts of a gateway can take longer than the 60 s after which OpenClaw drops what waited, and age is not the question here.
    backlog = [];
    for (let n = 1; n <= 20; n++) backlog.push(await written(ben, -10 * MINUTE_MS, `bag ${n}`));
    crash.gateway.arm("openclaw:before-write");
    await shop.gateway.start();
    await until("the gateway is dead", () => shop.gateway.pid === undefined, 180_000);
    wroteDown = writtenDown(shop.gateway.stateDir);
    longLost = await written(anna, 60 * MINUTE_MS, "an hour ago");
    const atLogin = [
      atNextLogin(() => written(anna, 1.5 * MINUTE_MS, "a minute and a half ago")),
      atNextLogin(() => written(anna, MINUTE_MS / 2, "half a minute ago")),
    ];
    await shop.restartGateway();
    [lost, kept] = (await Promise.all(atLogin)) as [Sent, Sent];
  }, 400_000);

  it("messages that waited at WhatsApp arrive if they are at most 60 s old when it connects; older ones are marked read", async () => {
    await anna.hears(`re: ${kept.text}`, { timeoutMs: 60_000 });
    await asks(anna, "just now");
    expect(textsAtHotBags(anna)).toEqual(["hello", "half a minute ago", "just now"]);
    for (const sent of [longLost, lost]) await isDropped(sent);
  });

  it("what OpenClaw had not written down when it was killed is lost: WhatsApp has the receipts, and keeps it no longer", async () => {
    expect([writtenBefore, ...backlog].map(wroteDown)).toEqual([true, ...backlog.map(() => false)]);
    await asks(ben, "and now?");
    const again = backlog.filter(({ deliveries }) => deliveries > 1);
    for (const { text } of again) await shop.hotbags.receives(text);
    // What waited and what comes live may change places.
    expect(textsAtHotBags(ben).sort()).toEqual(["hello", ...again.map(({ text }) => text), "and now?"].sort());
    const gone = backlog.filter((sent) => !again.includes(sent));
    expect(gone.length).toBeGreaterThan(0);
    expect(gone.filter((sent) => !sent.receipt || isKnown(sent) || wasRead(sent))).toEqual([]);
  });
});
