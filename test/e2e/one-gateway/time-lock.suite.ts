import { expect, it } from "vitest";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// WhatsApp has locked a number ("reach-out time lock"): OpenClaw refuses its direct messages before they reach the socket, keeps them
// in its own queue, and drops them after 13 minutes.

const counts = async () => (await shop.health()).body["commands"] as Record<string, number>;
const problems = async () => JSON.stringify((await shop.health()).body["problems"]);

it("replies to its direct chats wait here, groups and the other account are answered, and all goes out once when it is lifted", async () => {
  const { queued_by_gateway = 0, sent_from_gateway_queue = 0, in_doubt, failed } = await counts();
  const [anna, ben, carl] = [shop.newCustomer(), shop.newCustomer(), shop.newCustomer()];
  const group = shop.newGroup({ members: [anna] });
  shop.hotbags.answers(({ message_id, text }) => [{ command_id: message_id, type: "send_text", text: `You: ${text}` }]);
  const end = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
  shop.whatsapp.timeLock({ until: end }, "default");
  try {
    await anna.says("one");
    await until(
      "OpenClaw has the first reply in its queue",
      async () => (await counts())["queued_by_gateway"] === queued_by_gateway + 1,
      30_000,
    );
    await ben.says("two");
    await until("the next one waits here", async () => (await problems()).includes("Replies of 1 chat wait"), 30_000);
    expect(await problems()).toContain(
      `locked account default (reach-out time lock, BIZ_QUALITY), until ${end.toISOString()}`,
    );
    expect((await shop.health()).status).toBe(503);
    const alerts = () => shop.sidecar.lines.filter((line) => line["alert"] === "lock");
    await until("the operator is told", () => alerts().length > 0);
    expect(alerts()).toEqual([
      expect.objectContaining({ account: "default", until: end.toISOString(), enforcement: "BIZ_QUALITY" }),
    ]);

    await anna.says("three", { in: group });
    await group.hears("You: three", { timeoutMs: 30_000 });
    await carl.says("four", { to: "outlet" });
    expect((await carl.hears("You: four", { timeoutMs: 30_000 })).accountId).toBe("outlet");
    expect([...anna.heard, ...ben.heard]).toEqual([]);
  } finally {
    shop.whatsapp.timeLock(null, "default");
  }
  // OpenClaw tries again 5 and 25 s after its first two attempts.
  await anna.hears("You: one", { timeoutMs: 60_000 });
  await ben.hears("You: two", { timeoutMs: 60_000 });
  await shop.healthy();
  expect([anna.heard.length, ben.heard.length]).toEqual([1, 1]);
  const sent_from_queue = sent_from_gateway_queue + 1;
  expect(await counts()).toMatchObject({
    queued_by_gateway,
    sent_from_gateway_queue: sent_from_queue,
    in_doubt,
    failed,
  });
});

// Stands in limits.md.
it("a reply that WhatsApp refuses with 463, while it says that the number stands well, counts as sent", async () => {
  const { in_doubt, failed, queued_by_gateway } = await counts();
  const anna = shop.newCustomer();
  shop.hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "refused" }]);
  shop.whatsapp.onSend = () => "locked";
  try {
    const { id } = await anna.says("one");
    await until(
      "WhatsApp has refused it",
      () => shop.whatsapp.sent.some(({ chat, outcome }) => chat === anna.number && outcome === "locked"),
      30_000,
    );
    await until("it counts as sent", () =>
      shop.sidecar.lines.some((line) => line["message_id"] === id && line["msg"] === "reply sent"),
    );
  } finally {
    shop.whatsapp.onSend = () => "ack";
  }
  expect(await counts()).toMatchObject({ in_doubt, failed, queued_by_gateway });
  expect(anna.heard).toEqual([]);
});
