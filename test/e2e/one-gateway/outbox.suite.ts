import { expect, it } from "vitest";
import type { Command } from "../../hotbags/index.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// What Hot Bags sends without being asked, on the real gateway; the phone is the judge.

/** For whatever else OpenClaw does first. */
const PATIENCE = { timeoutMs: 60_000 };

let ids = 0;

/** Hot Bags sends a text of itself. Returns its id. */
function write(to: string, text: string, account = "default"): string {
  ids += 1;
  const command: Command = { command_id: `outbox-${ids}`, type: "send_text", text };
  shop.hotbags.outbox.put({ ...command, to, transport_session_id: `whatsapp:${account}` });
  return command.command_id;
}

const counts = async () => (await shop.health()).body["outbound"] as Record<string, number | string | null>;

it("brings a late answer to whom it is for, behind the answer that came at once", async () => {
  const anna = shop.newCustomer();
  shop.hotbags.answers(({ message_id }) => [{ command_id: `${message_id}-1`, type: "send_text", text: "One moment." }]);
  await anna.says("Is my bag ready?");
  await anna.hears("One moment.", PATIENCE);
  write(anna.number, "Yes. *Fetch it* until six.");
  const heard = await anna.hears("Yes. *Fetch it* until six.", PATIENCE);
  expect(heard.accountId).toBe("default");
  expect(anna.heard.map(({ text }) => text)).toEqual(["One moment.", "Yes. *Fetch it* until six."]);
});

it("begins a conversation, in which the customer can answer", async () => {
  const ben = shop.newCustomer();
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `${message_id}-1`, type: "send_text", text: `You: ${text}` },
  ]);
  write(ben.number, "Your order is here.");
  await ben.hears("Your order is here.", PATIENCE);
  await ben.says("Thanks");
  await ben.hears("You: Thanks", PATIENCE);
  expect(ben.heard).toHaveLength(2);
});

it("leaves by the account that it names, to one customer and to a group", async () => {
  const anna = shop.newCustomer();
  const group = shop.newGroup({ members: [anna] });
  write(anna.number, "From the shop");
  write(anna.number, "From the outlet", "outlet");
  write(group.id, "To all", "outlet");
  expect((await anna.hears("From the shop", PATIENCE)).accountId).toBe("default");
  expect((await anna.hears("From the outlet", PATIENCE)).accountId).toBe("outlet");
  expect((await group.hears("To all", PATIENCE)).accountId).toBe("outlet");
});

it("refuses what goes to no account and to no chat, and brings what comes behind it once", async () => {
  const anna = shop.newCustomer();
  const before = await counts();
  write(anna.number, "lost", "nowhere");
  write("123456789012345@lid", "lost");
  write(anna.number, "found");
  await anna.hears("found", PATIENCE);
  await until("both are refused", async () => (await counts())["refused"] === Number(before["refused"]) + 2);
  expect(await counts()).toMatchObject({ mode: "any", last_failure: null, taken: Number(before["taken"]) + 3 });
  expect(anna.heard).toHaveLength(1);
});

it("is taken again from where it was, when the sidecar was killed and Hot Bags was away", async () => {
  const anna = shop.newCustomer();
  await shop.sidecar.kill();
  write(anna.number, "while it was dead");
  await shop.hotbags.stop();
  await shop.sidecar.start();
  await shop.hotbags.start();
  await anna.hears("while it was dead", PATIENCE);
  write(anna.number, "and then");
  await anna.hears("and then", PATIENCE);
  expect(anna.heard).toHaveLength(2);
});
