import { setTimeout as sleep } from "node:timers/promises";
import { CUSTOMERS } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Arena } from "./arena.ts";
import type { Point } from "./between.ts";
import { now } from "./plugin.ts";
import { quantile, table } from "./report.ts";

/** Between a reply on the phone and the next message, ms: OpenClaw's receipts and notes of the last one are done with. */
const PAUSE_MS = 250;
/** One that takes longer, ms, is lost. */
const PATIENCE_MS = 120_000;
/** Who has written before: a first message opens a session. */
const CUSTOMERS_IN_TURN = 20;
/** What the bridge may add to a message's way and its reply's, ms. */
const GOAL = { p50: 5, p99: 20 };

type Way = Record<Point | "written", number>;

/** From where to where, who does it, and in words. */
const HOPS: [from: keyof Way, to: keyof Way, who: "bridge" | "gateway" | "doubles", title: string][] = [
  ["written", "called", "gateway", "the phone writes → OpenClaw calls the claim hook"],
  ["called", "linked", "bridge", "→ the message is on disk in the outbox, and leaves on the link"],
  ["linked", "posted", "bridge", "→ it is on the sidecar's disk, and its POST is at Hot Bags"],
  ["posted", "answered", "doubles", "→ Hot Bags answers"],
  ["answered", "sent", "bridge", "→ answer and `sending` are on disk, and `send` is at the gateway"],
  ["sent", "heard", "gateway", "→ the reply is on the phone"],
];

/** What no message waits for: it is in the above, or beside it. */
const BESIDE: typeof HOPS = [
  ["called", "returned", "bridge", "the claim hook by itself, which OpenClaw waits for"],
  ["sent", "taken", "gateway", "`send` at the gateway → its answer"],
];

const WHO = { bridge: "the bridge", gateway: "OpenClaw", doubles: "Hot Bags' double" };

/** So many messages one by one, each with a reply, through our plugin. What was seen of each, ms of the machine's monotonic clock. */
export async function singles(arena: Arena, count: number): Promise<Way[]> {
  await arena.take("ours");
  await arena.answers({ delayMs: 0, replies: true });
  const ways = new Map<string, Partial<Way>>();
  const forget = arena.onPoint((point, id, at) => {
    const way = ways.get(id) ?? {};
    // A second copy of a message is no hop of it.
    way[point] ??= at;
    ways.set(id, way);
  });
  const written: [string, number][] = [];
  for (let n = -CUSTOMERS_IN_TURN; n < count; n += 1) {
    const number = CUSTOMERS[(n + CUSTOMERS_IN_TURN) % CUSTOMERS_IN_TURN] ?? "";
    const at = now();
    const { id } = await arena.whatsapp
      .contact(number)
      .says(`Message ${n}: do you have the bag from the window in red?`);
    // The gateway's answer to `send` can come after the reply.
    await until(`the reply to message ${n}`, () => ways.get(id)?.heard && ways.get(id)?.taken, PATIENCE_MS);
    if (n >= 0) written.push([id, at]);
    await sleep(PAUSE_MS);
  }
  forget();
  return written.map(([id, at]) => ({ ...(ways.get(id) as Way), written: at }));
}

/** By hop, and what the bridge adds in all beside what may be, as Markdown. */
export function hopsTable(ways: readonly Way[]): string {
  const took = (hops: typeof HOPS) => ways.map((way) => hops.reduce((sum, [from, to]) => sum + way[to] - way[from], 0));
  const row = (title: string, who: string, times: readonly number[]) => [
    title,
    who,
    ...[0.5, 0.99].map((q) => quantile(times, q).toFixed(1)),
  ];
  const rowOf = (hop: (typeof HOPS)[number]) => row(hop[3], WHO[hop[2]], took([hop]));
  const of = (who: "bridge" | "gateway") => HOPS.filter((hop) => hop[2] === who);
  return [
    `${ways.length} messages one by one, ms:`,
    "",
    table([
      ["hop", "whose", "p50", "p99"],
      ...HOPS.map(rowOf),
      row("**from phone to phone**", "all", took(HOPS)),
      row(`**what the bridge adds** (goal: p50 < ${GOAL.p50}, p99 < ${GOAL.p99})`, WHO.bridge, took(of("bridge"))),
      row("what OpenClaw takes", WHO.gateway, took(of("gateway"))),
      ...BESIDE.map((hop) => rowOf([hop[0], hop[1], hop[2], `beside it: ${hop[3]}`])),
    ]),
  ].join("\n");
}
