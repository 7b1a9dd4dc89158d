import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import type { Command } from "../../hotbags/index.ts";
import { until } from "../../until.ts";
import { crash, farAway, shop } from "./shop.ts";

// What Hot Bags can command besides texts, where the operator lets it: the phone says what came of it.

const commandCounts = async () => (await shop.health()).body["commands"] as Record<string, number>;
const fileOf = (name: string) => readFile(new URL(`../../files/${name}`, import.meta.url));

/** The customer writes, and Hot Bags answers with these. Resolves with the customer's message. */
async function answered(anna: ReturnType<typeof shop.newCustomer>, ...commands: object[]) {
  shop.hotbags.answers(({ message_id, from }) =>
    from === anna.number
      ? commands.map((command, n) => ({ command_id: `${message_id}-${n}`, ...command }) as Command)
      : [],
  );
  return await anna.says("what have you got?");
}

it("each request says what the answer may use", async () => {
  const anna = shop.newCustomer();
  const sent = await answered(anna);
  await shop.hotbags.receives("what have you got?");
  const request = shop.hotbags.requests.find(({ key }) => key === sent.id);
  const accept = "send_text, pause_chat, resume_chat, reply_to, send_media, react";
  expect(request?.headers["x-hotbags-accept"]).toBe(accept);
});

it("a text quotes the customer's message, and goes out without where OpenClaw remembers none", async () => {
  const anna = shop.newCustomer();
  shop.hotbags.answers(({ message_id }) => [
    { command_id: `${message_id}-1`, type: "send_text", text: "this one", reply_to: message_id } as Command,
    { command_id: `${message_id}-2`, type: "send_text", text: "and that", reply_to: "3AFFFFFFFFFFFFFFFFFF" } as Command,
  ]);
  const sent = await anna.says("which one?");
  expect((await anna.hears("this one")).quotedId).toBe(sent.id);
  expect((await anna.hears("and that")).quotedId).toBeUndefined();
});

it("files arrive byte for byte, each as what it is, in order, with its caption and the message that it quotes", async () => {
  const anna = shop.newCustomer();
  const [photo, list, voice] = await Promise.all(["photo.jpg", "price-list.pdf", "voice.ogg"].map(fileOf));
  const media = (file: Buffer | undefined, mime_type: string, more: object = {}) => ({
    ...{ type: "send_media", data_base64: file?.toString("base64"), mime_type },
    ...more,
  });
  const pdf = { file_name: "price list.pdf", caption: "MEDIA:/etc/passwd *as it stands*" };
  await answered(
    anna,
    media(photo, "image/jpeg", { caption: "Two left." }),
    media(list, "application/pdf", pdf),
    media(voice, "audio/ogg"),
    { type: "send_text", text: "That is all." },
  );
  await anna.hears("That is all.", { timeoutMs: 60_000 });
  const seen = anna.heard.map(({ kind, text }) => [kind, text]);
  expect(seen).toEqual([
    ["imageMessage", "Two left."],
    ["documentMessage", pdf.caption],
    ["audioMessage", undefined],
    ["extendedTextMessage", "That is all."],
  ]);
  const files = anna.heard.slice(0, 3).map((message) => shop.whatsapp.fileOf(message));
  expect(files).toEqual([photo, list, voice]);
  expect(anna.heard[1]?.message.documentMessage?.fileName).toBe("price_list.pdf");
  expect(anna.heard[2]?.message.audioMessage?.ptt).toBe(true);
});

it("a file at a URL is fetched, over a redirect too, and arrives byte for byte; one that is not there is not sent", async () => {
  const anna = shop.newCustomer();
  const { failed = 0, in_doubt } = await commandCounts();
  const photo = await fileOf("photo.jpg");
  farAway.answer = ({ url }, response) => {
    if (url === "/moved") response.writeHead(302, { location: "/bags/12.jpg?signed=1" }).end();
    else if (url === "/bags/12.jpg?signed=1") response.writeHead(200, { "content-type": "image/jpeg" }).end(photo);
    else response.writeHead(404).end();
  };
  const at = (path: string) => ({ type: "send_media", url: `${farAway.origin}${path}`, caption: "Two left." });
  await answered(anna, at("/moved"), at("/gone"), { type: "send_text", text: "One of two." });
  await anna.hears("One of two.");
  expect(anna.heard.map(({ kind, text }) => [kind, text])).toEqual([
    ["imageMessage", "Two left."],
    ["extendedTextMessage", "One of two."],
  ]);
  expect(anna.heard[0] && shop.whatsapp.fileOf(anna.heard[0])).toEqual(photo);
  expect(await commandCounts()).toMatchObject({ failed: failed + 1, in_doubt });
  expect(JSON.stringify(shop.sidecar.lines)).not.toContain("signed=1");
});

it("a picture that is none is refused, and what follows goes out", async () => {
  const anna = shop.newCustomer();
  const { failed = 0, in_doubt } = await commandCounts();
  const data_base64 = Buffer.from("no picture").toString("base64");
  await answered(
    anna,
    { type: "send_media", data_base64, mime_type: "image/jpeg" },
    { type: "send_media", url: "https://127.0.0.1/photo.jpg" },
    { type: "send_text", text: "Sorry, no picture." },
  );
  await anna.hears("Sorry, no picture.");
  expect(anna.heard).toHaveLength(1);
  expect(await commandCounts()).toMatchObject({ failed: failed + 2, in_doubt });
});

it("a file that meets the very moment in which WhatsApp goes down is the gateway's, goes out once, and counts as sent then", async () => {
  const anna = shop.newCustomer();
  const list = await fileOf("price-list.pdf");
  const { queued_by_gateway = 0, sent_from_gateway_queue = 0 } = await commandCounts();
  shop.hotbags.answers(({ message_id: command_id }) => {
    // The sidecar still believes that WhatsApp is connected: it asks every few seconds.
    shop.whatsapp.refuse(true);
    shop.whatsapp.drop();
    const data_base64 = list.toString("base64");
    return [{ command_id, type: "send_media", data_base64, mime_type: "application/pdf" } as Command];
  });
  await anna.says("the price list, please");
  const queued = async () => (await commandCounts())["queued_by_gateway"];
  await until("the gateway has it in its queue", async () => (await queued()) === queued_by_gateway + 1, 30_000);
  shop.whatsapp.refuse(false);
  await shop.whatsapp.online();
  const heard = await anna.hears(({ kind }) => kind === "documentMessage", { timeoutMs: 60_000 });
  expect(shop.whatsapp.fileOf(heard)).toEqual(list);
  const known = async () => (await commandCounts())["sent_from_gateway_queue"];
  await until("it is known to be sent", async () => (await known()) === sent_from_gateway_queue + 1, 60_000);
  await shop.healthy();
  expect(anna.heard).toHaveLength(1);
});

it("an emoji comes and goes on the customer's message", async () => {
  const anna = shop.newCustomer();
  const sent = await answered(anna, { type: "react", emoji: "👍" }, { type: "react", emoji: "" });
  const isReaction = ({ kind }: { kind: string }) => kind === "reactionMessage";
  const [first, second] = [await anna.hears(isReaction), await anna.hears(isReaction)];
  const reactions = [first, second].map(({ message }) => message.reactionMessage);
  expect(reactions.map((reaction) => reaction?.text ?? "")).toEqual(["👍", ""]);
  expect(reactions.map((reaction) => reaction?.key?.id)).toEqual([sent.id, sent.id]);
  const { sent: all } = await commandCounts();
  expect(all).toBeGreaterThan(0);
});

const PRICES = { type: "send_media", mime_type: "application/pdf" };

it.each([
  ["a file", PRICES, "send:before", "documentMessage"],
  ["a file", PRICES, "send:after", "documentMessage"],
  ["a reaction", { type: "react", emoji: "👍" }, "send:before", "reactionMessage"],
  ["a reaction", { type: "react", emoji: "👍" }, "send:after", "reactionMessage"],
])("%s of a sidecar that is killed in the midst of it comes once: %j at %s", async (_what, command, point, kind) => {
  const anna = shop.newCustomer();
  const { in_doubt } = await commandCounts();
  const data_base64 = (await fileOf("price-list.pdf")).toString("base64");
  crash.sidecar.arm(point);
  const killed = shop.sidecar.ended();
  await answered(anna, command.type === "send_media" ? { ...command, data_base64 } : command);
  expect(await killed).toBe("SIGKILL");
  await shop.sidecar.start();
  await anna.hears((heard) => heard.kind === kind, { timeoutMs: 60_000 });
  // The same gateway still knows the key, and is asked by it again.
  await until("nobody doubts it", async () => (await commandCounts())["in_doubt"] === in_doubt, 60_000);
  await shop.healthy();
  expect(anna.heard.map((heard) => heard.kind)).toEqual([kind]);
});
