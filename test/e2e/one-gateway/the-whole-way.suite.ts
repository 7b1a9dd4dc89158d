import { createHmac } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { TESTED, VERSION } from "../../../shared/src/index.ts";
import { type Command, type Message, startHotBags } from "../../hotbags/index.ts";
import { SUBJECT } from "../../openclaw/places.ts";
import { BEARER_TOKEN, HMAC_SECRET } from "../../shop/shop.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

const customer = () => shop.newCustomer();

/** Hot Bags answers every message with these texts, under ids made from the message's own. */
function answerWith(...texts: string[]) {
  shop.hotbags.answers((message) => texts.map((text, n) => sendText(`${message.message_id}-${n}`, text)));
}

function sendText(command_id: string, text: string): Command {
  return { command_id, type: "send_text", text };
}

/** Resolves when the sidecar has nothing left to do. */
async function quiet() {
  await until("the sidecar is through with everything", async () => {
    const { body } = await shop.health();
    const { pending } = body["messages"] as { pending: number };
    const commands = body["commands"] as { pending: number; sending: number };
    return pending === 0 && commands.pending === 0 && commands.sending === 0;
  });
}

const attemptsFor = (message: Message) => shop.hotbags.requests.filter(({ key }) => key === message.message_id);

describe("a direct message", () => {
  it("reaches Hot Bags as the contract says, and the reply reaches the phone", async () => {
    answerWith("Yes, two left.");
    const anna = customer();
    const sent = await anna.says("Is the red bag still there? 👜 مرحبا");
    const message = await shop.hotbags.receives("Is the red bag still there? 👜 مرحبا");
    expect(message).toMatchObject({
      message_id: sent.id,
      chat_id: anna.number,
      from: anna.number,
      media: [],
      transport_session_id: "whatsapp:default",
    });
    expect(Math.abs(Date.parse(message.timestamp) - Date.now())).toBeLessThan(60_000);
    await anna.hears("Yes, two left.");
    await sent.received();
    await quiet();
    expect(anna.heard.map(({ text }) => text)).toEqual(["Yes, two left."]);
  });

  it("is in the log by its ids, and its text is not", async () => {
    answerWith("A reply nobody else should read");
    const anna = customer();
    const sent = await anna.says("A text nobody else should read");
    await anna.hears("A reply nobody else should read");
    await until("the reply is in the log", () =>
      shop.sidecar.lines.some((line) => line["message_id"] === sent.id && line.msg === "reply sent"),
    );
    const lines = shop.sidecar.lines.filter((line) => line["message_id"] === sent.id);
    expect(lines.map(({ msg }) => msg)).toEqual(["message accepted", "delivered to Hot Bags", "reply sent"]);
    for (const line of lines) expect(line).toMatchObject({ transport_session_id: "whatsapp:default" });
    expect(lines[2]).toMatchObject({ command_id: `${sent.id}-0` });
    const log = JSON.stringify(shop.sidecar.lines);
    for (const secret of ["nobody else should read", anna.number]) expect(log).not.toContain(secret);
  });
});

it("a group message goes to Hot Bags with its group and its author, and the reply to the group", async () => {
  answerWith("Hello, all of you.");
  const [anna, ben] = [customer(), customer()];
  const group = shop.newGroup({ subject: "Deals", members: [anna, ben] });
  const sent = await anna.says("hello, group", { in: group });
  const message = await shop.hotbags.receives("hello, group");
  expect(message).toMatchObject({ message_id: sent.id, chat_id: group.id, from: anna.number });
  await group.hears("Hello, all of you.");
  await quiet();
  expect([anna.heard, ben.heard]).toEqual([[], []]);
});

it("two chats at once do not wait for each other, and get their own answers", async () => {
  shop.hotbags.answers((message) => [sendText(`${message.message_id}-0`, `for ${message.from}`)]);
  const [anna, ben] = [customer(), customer()];
  const lift = shop.hotbags.faultFor(({ from }) => from === anna.number, { status: 503 }, Number.POSITIVE_INFINITY);
  await Promise.all([anna.says("from anna"), ben.says("from ben")]);
  await ben.hears(`for ${ben.number}`);
  expect(anna.heard).toEqual([]);
  lift();
  await anna.hears(`for ${anna.number}`);
});

it("a WhatsApp message that is delivered twice is one message", async () => {
  answerWith("once");
  const anna = customer();
  const sent = await anna.says("twice delivered");
  await anna.hears("once");
  const again = await shop.whatsapp.redeliver(sent);
  await again.received();
  await anna.says("afterwards");
  await anna.hears("once");
  await quiet();
  expect(shop.hotbags.requests.filter(({ key }) => key === sent.id)).toHaveLength(1);
  expect(anna.heard).toHaveLength(2);
});

describe("Hot Bags failing", () => {
  it("with 503, then answering 200, gets the same bytes under the same key, and the reply is sent once", async () => {
    answerWith("sorry for the wait");
    const anna = customer();
    shop.hotbags.faultFor(({ from }) => from === anna.number, { status: 503 });
    await anna.says("hello?");
    const message = await shop.hotbags.receives("hello?");
    await anna.hears("sorry for the wait");
    await quiet();
    const [first, second, ...more] = attemptsFor(message);
    expect([first?.status, second?.status, more.length]).toEqual([503, 200, 0]);
    expect(first?.rawBody.equals(second?.rawBody ?? Buffer.alloc(0))).toBe(true);
    expect(anna.heard).toHaveLength(1);
  });

  it("after it has processed the message, sends each command once all the same", async () => {
    answerWith("processed once");
    const anna = customer();
    shop.hotbags.faultFor(({ from }) => from === anna.number, "drop-after-processing", 2);
    await anna.says("are you there?");
    await anna.hears("processed once");
    await quiet();
    expect(anna.heard).toHaveLength(1);
  });
});

describe("commands", () => {
  it("run in the order of their array", async () => {
    answerWith("first", "second", "third");
    const anna = customer();
    await anna.says("three, please");
    await anna.hears("third");
    expect(anna.heard.map(({ text }) => text)).toEqual(["first", "second", "third"]);
  });

  it("with a command_id of an earlier response are not run again", async () => {
    const anna = customer();
    shop.hotbags.answers((message) => [
      sendText("welcome-of-anna", "welcome"),
      sendText(message.message_id, `re: ${message.text}`),
    ]);
    await anna.says("one");
    await anna.hears("re: one");
    await anna.says("two");
    await anna.hears("re: two");
    await quiet();
    expect(anna.heard.map(({ text }) => text)).toEqual(["welcome", "re: one", "re: two"]);
  });

  it("of an unknown type are skipped, and the others run", async () => {
    const anna = customer();
    shop.hotbags.answers(({ message_id }) => [
      { command_id: `${message_id}-a`, type: "send_sticker", sticker: "bag" } as unknown as Command,
      sendText(`${message_id}-b`, "the sticker was skipped"),
    ]);
    const sent = await anna.says("a sticker?");
    await anna.hears("the sticker was skipped");
    await quiet();
    expect(anna.heard).toHaveLength(1);
    const skipped = await shop.sidecar.logged(({ command_id }) => command_id === `${sent.id}-a`);
    expect(skipped).toMatchObject({ message_id: sent.id, msg: expect.stringContaining("send_sticker") });
  });
});

describe("a restart", () => {
  it("of the sidecar while it is busy loses nothing and repeats nothing", async () => {
    answerWith("still here");
    const anna = customer();
    shop.hotbags.faultFor(({ from }) => from === anna.number, "hang");
    const inTheMiddle = await anna.says("asked before the restart");
    await until("the POST is under way", () => shop.hotbags.requests.some(({ key }) => key === inTheMiddle.id));
    await shop.sidecar.kill();
    const whileDown = await anna.says("asked while it was down");
    await whileDown.received();
    await shop.sidecar.start();
    await anna.hears("still here");
    await anna.hears("still here");
    await quiet();
    const order = shop.hotbags.accepted.filter(({ from }) => from === anna.number).map(({ message_id }) => message_id);
    expect(order).toEqual([inTheMiddle.id, whileDown.id]);
    expect(anna.heard).toHaveLength(2);
  });
});

it("a change of the plugin's configuration replaces its link, and loses no message", async () => {
  // Not to those in between: who writes in the instant in which a reply goes out to them can be lost by Baileys, before any hook.
  shop.hotbags.answers(({ message_id, text }) =>
    ["hello", "four"].includes(text) ? [sendText(message_id, "still listening")] : [],
  );
  const anna = customer();
  // A first burst of somebody new is put out of order by Baileys.
  const sent = [await anna.says("hello")];
  await anna.hears("still listening");
  const links = () => {
    const said = (msg: string) => shop.sidecar.lines.filter((line) => line.msg === msg).length;
    return { opened: said("plugin connected"), open: said("plugin connected") - said("plugin disconnected") };
  };
  const before = links();
  await shop.gateway.configure((config) => {
    const plugin = config.plugins.entries["hotbags"]?.config;
    if (!plugin) throw new Error("the example configures no plugin hotbags");
    plugin["sidecarUrl"] = String(plugin["sidecarUrl"]).replace("127.0.0.1", "localhost");
    return config;
  });
  for (const text of ["one", "two", "three"]) sent.push(await anna.says(text));
  await until("the link is a new one", () => links().opened === before.opened + 1, 30_000);
  sent.push(await anna.says("four"));
  await anna.hears("still listening");
  await quiet();
  await until("the former one is closed", () => links().open === before.open);
  const arrived = shop.hotbags.accepted.filter(({ from }) => from === anna.number).map(({ message_id }) => message_id);
  expect(arrived).toEqual(sent.map(({ id }) => id));
});

describe("the signature", () => {
  it("is absent unless it is asked for", async () => {
    const anna = customer();
    await anna.says("unsigned");
    const message = await shop.hotbags.receives("unsigned");
    expect(attemptsFor(message)[0]?.headers["x-hotbags-signature"]).toBeUndefined();
  });

  it("is the HMAC of the very bytes that were sent", async () => {
    const anna = customer();
    const signed = await startHotBags({ token: BEARER_TOKEN, hmacSecret: HMAC_SECRET });
    try {
      await shop.sidecar.restart({
        HOTBAGS_BASE_URL: signed.url,
        HOTBAGS_HMAC_DISABLED: "false",
        HOTBAGS_HMAC_SECRET: HMAC_SECRET,
      });
      await anna.says("signed ✍️");
      await signed.receives("signed ✍️");
      const [attempt] = signed.requests;
      const expected = createHmac("sha256", HMAC_SECRET)
        .update(attempt?.rawBody ?? "")
        .digest("hex");
      expect(attempt?.headers["x-hotbags-signature"]).toBe(`sha256=${expected}`);
      expect(signed.violations).toEqual([]);
      await quiet();
    } finally {
      const unsigned = { HOTBAGS_HMAC_DISABLED: undefined, HOTBAGS_HMAC_SECRET: undefined };
      await shop.sidecar.restart({ HOTBAGS_BASE_URL: shop.hotbags.url, ...unsigned });
      await signed.close();
    }
  });
});

// Of another OpenClaw (`npm run compat`) the warnings are right, and the sidecar's own tests show them.
it.runIf(isDeepStrictEqual(SUBJECT, { ...TESTED, without: [] }))(
  "runs on what this release names as tested, and the real gateway says so of each part",
  async () => {
    const versions = async () => (await shop.health()).body["versions"] as Record<string, unknown>;
    // The plugin may still be on its way back from the tests before.
    await shop.healthy();
    await until("the gateway was asked for its plugins", async () => (await versions())["whatsapp"] !== null, 20_000);
    expect(await versions()).toEqual({
      ...{ sidecar: VERSION, plugin: VERSION, ...TESTED },
      ...{ tested: { plugin: VERSION, ...TESTED }, warnings: [] },
    });
  },
);

it("is healthy at the end: everything that was accepted is delivered", async () => {
  await quiet();
  await shop.healthy();
  const messages = (await shop.health()).body["messages"] as Record<string, number>;
  expect(messages).toMatchObject({ pending: 0, dead: 0 });
  expect(messages["accepted"]).toBe(messages["delivered"]);
});
