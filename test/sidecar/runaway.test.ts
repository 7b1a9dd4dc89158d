import { afterEach, beforeEach, expect, it } from "vitest";
import type { Sent } from "../gateway/scripted-gateway.ts";
import { until } from "../until.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// The real sidecar between Hot Bags and another bot, which answer each other for as long as they can.

const PER_MINUTE = 5;

let shop: ShopWithOperator;
/** What the other bot has said. */
let said: number;

beforeEach(async () => {
  said = 0;
  shop = await ShopWithOperator.start({ BRIDGE_CHAT_REPLIES_PER_MINUTE: String(PER_MINUTE) });
  const { send } = shop.gateway;
  shop.gateway.send = (sent) => {
    if (sent.to === ANNA) void shop.plugin.handIn(messageOf(`bot-${++said}`));
    return send(sent);
  };
});
afterEach(() => shop.close());

type Report = { ok: boolean; problems: string[]; commands: { held_chats: number; pending: number } };
const health = () => shop.health<Report>();
const held = () => until("a reply is held", async () => (await health()).commands.held_chats === 1);
const to = (chat: string) => shop.gateway.sends.filter((sent: Sent) => sent.to === chat);

it("two bots that answer each other are held, with one alert and a red /health, and nobody else is", async () => {
  await shop.plugin.handIn(messageOf("bot-0"));
  await held();
  expect(to(ANNA)).toHaveLength(PER_MINUTE);
  const { ok, problems, commands } = await health();
  expect(ok).toBe(false);
  expect(commands.pending).toBe(1);
  expect(problems).toContainEqual(expect.stringMatching(/^replies of 1 chat are held back.*another bot/));

  await until("the alert has come", () => shop.hook.alerts.length > 0);
  const text = expect.stringMatching(/^Replies are held back: the chat \+1555…01 \(account default\) got 5 replies/);
  expect(shop.hook.alerts).toEqual([
    expect.objectContaining({ alert: "runaway", text, account: "default", chat: "+1555…01" }),
  ]);

  await shop.plugin.handIn(messageOf("somebody-else", BEN));
  await until("the other customer is answered", () => to(BEN).length === 1);
});

it("goes on to hold over a kill and a restart, and drops nothing", async () => {
  await shop.plugin.handIn(messageOf("bot-0"));
  await held();
  await shop.restart({}, "kill");
  await held();
  expect(to(ANNA)).toHaveLength(PER_MINUTE);

  // The operator lets it go.
  shop.gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  await shop.restart({ BRIDGE_CHAT_REPLIES_PER_MINUTE: "0" });
  await until("the held reply is sent", () => to(ANNA).length === PER_MINUTE + 1);
  expect(to(ANNA).map(({ idempotencyKey }) => idempotencyKey)).toEqual(
    Array.from({ length: PER_MINUTE + 1 }, (_, n) => `to-bot-${n}`),
  );
});
