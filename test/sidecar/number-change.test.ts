import { afterEach, beforeEach, expect, it } from "vitest";
import { CONNECTED } from "../gateway/scripted-gateway.ts";
import { until } from "../until.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// The real sidecar, and a shop whose account is linked to another phone while replies wait.

const OLD = "+15559990000";
const NEW = "+15559990077";
const AWAY = { ...CONNECTED, running: false, connected: false, healthState: "logged-out" };

let shop: ShopWithOperator;

beforeEach(async () => {
  shop = await ShopWithOperator.start({}, (gateway) => {
    gateway.number = OLD;
  });
});
afterEach(() => shop.close());

type Report = {
  problems: string[];
  gateway: { accounts: Record<string, string> };
  commands: { pending: number; sent: number };
};
const health = () => shop.health<Report>();
const accountIs = (what: string) =>
  until(`the account is ${what}`, async () => (await health()).gateway.accounts["default"]?.includes(what), 20_000);
const problems = async () => (await health()).problems.filter((problem) => problem.includes("another phone number"));
const writes = (id: string, chat: string, to: string) => shop.plugin.handIn(messageOf(id, chat, { raw: { To: to } }));
/** That the account was logged out is told as well. */
const alerts = () => shop.hook.alerts.filter(({ alert }) => alert === "number");
const keys = () => shop.gateway.sends.map(({ idempotencyKey }) => idempotencyKey);

/** A reply waits for WhatsApp when another phone is linked. */
async function relinked(number: string) {
  shop.gateway.accounts = [AWAY];
  await accountIs("logged this device out");
  await writes("A1", ANNA, OLD);
  await until("its reply waits", async () => (await health()).commands.pending === 1);
  shop.gateway.number = number;
  shop.gateway.accounts = [CONNECTED];
  await accountIs("WhatsApp is connected");
}

it("keeps replies from leaving by another number, says what to do, and lets them go when it is told to", async () => {
  await relinked(NEW);
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(await problems()).toEqual([
    expect.stringMatching(/^replies of 1 chat wait: account default .*BRIDGE_FORMER_NUMBERS/),
  ]);
  await until("the alert has come", () => alerts().length > 0);
  const numbers = { account: "default", written_to: "+1555…00", linked: "+1555…77" };
  expect(alerts()).toEqual([expect.objectContaining({ alert: "number", ...numbers })]);

  await writes("B1", BEN, NEW);
  await until("who writes to the new number is answered", () => keys().includes("to-B1"));
  expect(keys()).toEqual(["to-B1"]);

  await shop.restart({ BRIDGE_FORMER_NUMBERS: OLD });
  await until("the reply is sent", () => keys().includes("to-A1"));
  expect(await problems()).toEqual([]);
});

it("lets them go when the right phone is linked again", async () => {
  await relinked(NEW);
  await until("the problem is in /health", async () => (await problems()).length === 1);
  expect(keys()).toEqual([]);
  shop.gateway.number = OLD;
  await until("the reply is sent", () => keys().includes("to-A1"), 20_000);
  await until("the problem has passed", async () => (await problems()).length === 0);
});

it("holds nothing when the same phone is linked again", async () => {
  await relinked(OLD);
  await until("the reply is sent", () => keys().includes("to-A1"), 20_000);
  expect(alerts()).toEqual([]);
});
