import { beforeAll, expect, it } from "vitest";
import { until } from "../until.ts";
import { SIDECAR_POINTS } from "./points.ts";
import { crash, shop } from "./shop.ts";
import { expectInGuarantees, outcomeOfMessage, type Row } from "./table.ts";

// A failpoint before and after every commit and every effect on the outside. At each, a customer's message is on its
// way, the process is killed with SIGKILL exactly there and started again, and the far ends tell what they saw: Hot
// Bags how many POSTs and messages, the phone how many replies.

/** In the gateway: the plugin's commits, and the moment when OpenClaw has written a reply to WhatsApp and not yet answered the sidecar. */
const GATEWAY_POINTS = [
  { point: "capture:before-commit", meaning: "OpenClaw has the message, the outbox does not: dispatched again" },
  { point: "capture:after-commit", meaning: "in the outbox; OpenClaw dispatches it again all the same" },
  { point: "acked:before-commit", meaning: "the sidecar has it, and so has the outbox: sent again" },
  { point: "acked:after-commit", meaning: "the sidecar has it, the outbox no more" },
  { point: "reply-seen", meaning: "WhatsApp has the reply, the sidecar has no answer: in doubt" },
];

/** A message that begins so gets two replies. */
const TWICE = "two of them";

const rows: Row[] = [];

/** Replies that an earlier suite has left in doubt. */
let doubtsBefore: number;

beforeAll(async () => {
  doubtsBefore = (await commandCounts())["in_doubt"] ?? 0;
  shop.hotbags.answers(({ message_id, text }) => [
    ...(text.startsWith(TWICE) ? [{ command_id: `first-${message_id}`, type: "send_text", text: "first" }] : []),
    { command_id: `reply-${message_id}`, type: "send_text", text: "reply" },
  ]);
});

const commandCounts = async () => (await shop.health()).body["commands"] as Record<string, number>;

const customer = () => shop.newCustomer();

/** Resolves when all four parts are up and nothing waits or is newly in doubt. */
const settled = () =>
  until(
    "everything is settled",
    async () => {
      const { status, body } = await shop.health();
      const { pending: messages } = body["messages"] as { pending: number };
      const { pending, sending, in_doubt: doubts = 0 } = body["commands"] as Record<string, number>;
      return status === 200 && messages === 0 && pending === 0 && sending === 0 && doubts <= doubtsBefore;
    },
    60_000,
  );

for (const { point, meaning, posts, fault, isOfSecondReply } of SIDECAR_POINTS) {
  it(`the sidecar, killed at ${point}`, async () => {
    const anna = customer();
    if (fault) shop.hotbags.faultFor(({ from }) => from === anna.number, { status: 503 });
    crash.sidecar.arm(point);
    const killed = shop.sidecar.ended();
    const ordered = isOfSecondReply ? ["first", "reply"] : ["reply"];
    const sent = await anna.says(`${isOfSecondReply ? TWICE : "one"}, on its way at ${point}`);
    expect(await killed).toBe("SIGKILL");
    await shop.sidecar.start();
    await anna.hears("reply");
    await settled();
    const seen = shop.hotbags.requests.filter(({ key }) => key === sent.id);
    const accepted = shop.hotbags.accepted.filter(({ message_id }) => message_id === sent.id).length;
    rows.push({
      point,
      meaning,
      outcome: outcomeOfMessage({ posts: seen.length, accepted, replies: anna.heard.length, ordered: ordered.length }),
    });
    expect([seen.length, accepted]).toEqual([posts, 1]);
    expect(anna.heard.map(({ text }) => text)).toEqual(ordered);
    for (const { rawBody } of seen) expect(rawBody.equals(seen[0]?.rawBody ?? Buffer.alloc(0))).toBe(true);
    expect(shop.hotbags.violations).toEqual([]);
  });
}

for (const { point, meaning } of GATEWAY_POINTS) {
  it(`the gateway, killed at ${point}`, async () => {
    const anna = customer();
    // The answer comes when the gateway is gone already, except where the gateway is to die of sending it.
    if (point !== "reply-seen") shop.hotbags.faultFor(({ from }) => from === anna.number, { delayMs: 2_000 });
    crash.gateway.arm(point);
    const sent = await anna.says(`on its way at ${point}`);
    await until("the gateway is dead", () => shop.gateway.pid === undefined, 30_000);
    await shop.restartGateway();
    await anna.hears("reply", { timeoutMs: 60_000 });
    await settled();
    const posts = shop.hotbags.requests.filter(({ key }) => key === sent.id).length;
    const accepted = shop.hotbags.accepted.filter(({ message_id }) => message_id === sent.id).length;
    rows.push({ point, meaning, outcome: outcomeOfMessage({ posts, accepted, replies: anna.heard.length }) });
    expect([posts, accepted, anna.heard.length]).toEqual([1, 1, 1]);
  }, 180_000);
}

it("OpenClaw, which leaves WhatsApp down after three such deaths, was told to start it by the bridge", () => {
  expect(shop.gateway.logs.some((line) => line.includes("restart-loop breaker tripped"))).toBe(true);
  const started = shop.sidecar.lines.filter(({ msg }) => msg?.includes("given up on WhatsApp; starting it again"));
  expect(started.length).toBeGreaterThan(0);
});

it("the table in docs/guarantees.md is what was observed here", async () => {
  await expectInGuarantees("SQLite", rows);
});
