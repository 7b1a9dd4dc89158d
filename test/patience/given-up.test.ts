import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Command } from "../hotbags/index.ts";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { stopChannel } from "./operator.ts";

// OpenClaw tries twelve times to get back to WhatsApp, which takes it about 231 s, and then never again. Its patience is not configurable,
// so these take minutes; `npm test` runs them beside the other tests on the gateway.

const OUTAGE_MS = 5 * 60_000;
/** OpenClaw waits up to 30 s between two attempts. */
const NEXT_ATTEMPT_MS = 60_000;

/** OpenClaw drops a message of its own queue after a minute instead of 13. */
const SHORT_RETRIES = { module: fileURLToPath(new URL("./short-retries.mjs", import.meta.url)), env: {} };

let shop: Shop;

beforeAll(async () => {
  shop = await openShop({ gatewayPreload: SHORT_RETRIES });
  shop.hotbags.answers(reply);
});
afterAll(() => shop?.close());

function customer(index: number) {
  const number = CUSTOMERS[index];
  if (number === undefined) throw new Error("there are too few customers in shop.ts");
  return shop.whatsapp.contact(number);
}

const isStart = (line: LogLine, account: string) =>
  line.msg?.includes("starting it again") === true && line["account"] === account;
const reply = ({ message_id, text }: { message_id: string; text: string }): Command[] => [
  { command_id: `re-${message_id}`, type: "send_text", text: `re: ${text}` },
];
const commands = async () => (await shop.health()).body["commands"] as Record<string, number>;
const problems = async () => (await shop.health()).body["problems"] as string[];
const saysOf = (account: string, what: string) => async () =>
  (await problems()).some((problem) => problem.startsWith(`account ${account}: `) && problem.includes(what));

it(
  "WhatsApp refuses for five minutes, OpenClaw gives up, the bridge starts it, what waits at WhatsApp is answered, and a reply that OpenClaw dropped meanwhile goes out once",
  async () => {
    const anna = customer(0);
    await anna.says("before");
    await anna.hears("re: before", { timeoutMs: 30_000 });

    const outageIsOver = sleep(OUTAGE_MS);
    const givenUp = shop.gateway.logged(/after 12\/12 attempts/, { timeoutMs: OUTAGE_MS });
    const started = shop.sidecar.logs((line) => isStart(line, "default"), OUTAGE_MS);
    // The sidecar still believes that WhatsApp is connected when it sends this reply.
    const ben = customer(1);
    const text = "in the worst moment";
    shop.hotbags.answers((message) => {
      if (message.text === text) {
        shop.whatsapp.refuse(true);
        shop.whatsapp.drop();
      }
      return reply(message);
    });
    await ben.says(text);
    await until("OpenClaw has its reply", async () => (await commands())["queued_by_gateway"] === 1, 30_000);
    const early = await anna.says("as WhatsApp went away");

    await givenUp;
    await until("the operator is told that it was given up", saysOf("default", "has given up reconnecting"));
    const refused = shop.gateway.logged(/closed during setup \(status 408\)\. Retry 1\/12/, { timeoutMs: 30_000 });
    await started;
    // It has been told to, and is refused like the twelve times before.
    await refused;
    await until("the operator is told that it tries again", saysOf("default", "OpenClaw is trying again"), 30_000);

    await outageIsOver;
    const waiting = await anna.says("are you back?");
    shop.whatsapp.refuse(false);
    await anna.hears("re: are you back?", { timeoutMs: NEXT_ATTEMPT_MS });
    // OpenClaw has dropped it after a minute, and repeats its answer to the same key for up to 6.
    await ben.hears(`re: ${text}`, { timeoutMs: 3 * NEXT_ATTEMPT_MS });
    expect(ben.heard).toHaveLength(1);
    expect(await commands()).toMatchObject({
      ...{ queued_by_gateway: 0, sent_from_gateway_queue: 0, dropped_by_gateway: 1, in_doubt: 0 },
      last_dropped_by_gateway: { reason: "OpenClaw gave it up, unsent" },
    });
    await shop.healthy();
    const arrived = shop.hotbags.accepted.map(({ message_id }) => message_id);
    expect(arrived).toContain(waiting.id);
    // Started anew, OpenClaw drops what is older than 60 s, as after a start of the gateway: docs/limits.md.
    expect(arrived).not.toContain(early.id);
    const read = () => shop.whatsapp.receipts.some(({ id, kind }) => id === early.id && kind === "read");
    await until("the dropped message is marked read", read);
    expect(shop.sidecar.lines.filter((line) => isStart(line, "default"))).toHaveLength(1);
  },
  OUTAGE_MS + 6 * NEXT_ATTEMPT_MS,
);

it("an account that was logged out or replaced is left alone, while another that stopped is started", async () => {
  const { gateway, whatsapp, sidecar } = shop;
  for (const [accountId, number] of Object.entries({ replaced: "+15559990001", stopped: "+15559990002" }))
    await whatsapp.link(gateway.stateDir, { number, accountId });
  await gateway.configure((config) => {
    config.channels.whatsapp.accounts = { default: {}, replaced: {}, stopped: {} };
    return config;
  });
  for (const accountId of ["replaced", "stopped"]) await whatsapp.online(NEXT_ATTEMPT_MS, accountId);
  await shop.healthy();

  const logins: string[] = [];
  whatsapp.onEvent((event) => event.type === "connected" && logins.push(event.accountId));
  await whatsapp.logout("default");
  whatsapp.replaced("replaced");
  // Where Baileys sees the end of the connection before its reason, OpenClaw asks once more first.
  const link = saysOf("default", "channels login --channel whatsapp");
  await until("the operator is told to link the one", link, NEXT_ATTEMPT_MS);
  await until("and to close the other's rival", saysOf("replaced", "Close the other session"), NEXT_ATTEMPT_MS);
  const before = sidecar.lines.length;
  // Whoever would be started again has been down for longer than this one when this one is started.
  const started = sidecar.logs((line) => isStart(line, "stopped"), 60_000);
  await stopChannel(gateway, "stopped");
  await started;
  await whatsapp.online(NEXT_ATTEMPT_MS, "stopped");
  const starts = sidecar.lines.slice(before).filter(({ msg }) => msg?.includes("starting it again"));
  expect(starts.map((line) => line["account"])).toEqual(["stopped"]);
  expect(logins).toEqual(["stopped"]);
  const down = async () => (await problems()).flatMap((problem) => /^account (\w+)/.exec(problem)?.[1] ?? []);
  await until("only those two are down", async () => (await down()).join() === "default,replaced", 30_000);
}, 240_000);
