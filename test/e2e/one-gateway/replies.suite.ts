import { describe, expect, it } from "vitest";
import type { Command } from "../../hotbags/index.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// What becomes of replies when WhatsApp, the gateway or the commands themselves are not as they should be.

const customer = () => shop.newCustomer();

const commandCounts = async () => (await shop.health()).body["commands"] as Record<string, number>;
const sendText = (command_id: string, text: string): Command => ({ command_id, type: "send_text", text });
const alarms = (messageId: string) =>
  shop.sidecar.lines.filter((line) => line["alarm"] === true && line["message_id"] === messageId);

describe("WhatsApp is down", () => {
  it("replies wait in our own queue, health says why, and they go out once when it is back", async () => {
    const { queued_by_gateway, in_doubt } = await commandCounts();
    const anna = customer();
    shop.hotbags.answers(({ message_id }) => [sendText(`${message_id}-1`, "one"), sendText(`${message_id}-2`, "two")]);
    const lift = shop.hotbags.faultFor(({ from }) => from === anna.number, { status: 503 }, Number.POSITIVE_INFINITY);
    const sent = await anna.says("answer me later");
    await until("Hot Bags was asked", () => shop.hotbags.requests.some(({ key }) => key === sent.id));
    shop.whatsapp.refuse(true);
    shop.whatsapp.drop();
    const problems = async () => JSON.stringify((await shop.health()).body["problems"]);
    await until(
      "the sidecar knows that WhatsApp is down",
      async () => (await problems()).includes("account default"),
      20_000,
    );
    lift();
    await shop.hotbags.receives("answer me later");
    await until("both replies wait", async () => (await commandCounts())["pending"] === 2);
    shop.whatsapp.refuse(false);
    await shop.whatsapp.online();
    await anna.hears("one", { timeoutMs: 60_000 });
    await anna.hears("two");
    expect(anna.heard).toHaveLength(2);
    expect(await commandCounts()).toMatchObject({ queued_by_gateway, in_doubt });
  });
});

it("a reply that meets the very moment in which WhatsApp goes down is the gateway's, goes out once, and counts as sent then", async () => {
  const anna = customer();
  shop.hotbags.answers(({ message_id }) => {
    // The sidecar still believes that WhatsApp is connected: it asks every few seconds.
    shop.whatsapp.refuse(true);
    shop.whatsapp.drop();
    return [sendText(message_id, "through the gateway's own queue")];
  });
  const { queued_by_gateway = 0, sent_from_gateway_queue = 0 } = await commandCounts();
  await anna.says("answer me in the worst moment");
  await until(
    "the gateway has it in its queue",
    async () => (await commandCounts())["queued_by_gateway"] === queued_by_gateway + 1,
    30_000,
  );
  shop.whatsapp.refuse(false);
  await shop.whatsapp.online();
  await anna.hears("through the gateway's own queue", { timeoutMs: 60_000 });
  await until(
    "it is known to be sent",
    async () => (await commandCounts())["sent_from_gateway_queue"] === sent_from_gateway_queue + 1,
    30_000,
  );
  expect(await commandCounts()).toMatchObject({ queued_by_gateway });
  await shop.healthy();
  expect(anna.heard).toHaveLength(1);
});

describe("commands that can't be executed", () => {
  it("are refused one by one with an alarm each, and the others run in order", async () => {
    const anna = customer();
    shop.hotbags.answers(({ message_id }) => [
      sendText(`${message_id}-1`, "first"),
      { type: "send_text", text: "no id" } as Command,
      sendText(`${message_id}-3`, ""),
      null as unknown as Command,
      sendText(`${message_id}-1`, "another text under the first one's id"),
      sendText(`${message_id}-6`, "last"),
    ]);
    const before = await commandCounts();
    const sent = await anna.says("six, please");
    await anna.hears("last");
    expect(anna.heard.map(({ text }) => text)).toEqual(["first", "last"]);
    await until("four alarms", () => alarms(sent.id).length === 4);
    expect((await commandCounts())["failed"]).toBe((before["failed"] ?? 0) + 4);
  });
});
