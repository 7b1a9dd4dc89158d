import { setTimeout as sleep } from "node:timers/promises";
import { CUSTOMERS } from "../shop/shop.ts";
import { until } from "../until.ts";
import { type Arena, CONTENDERS, type Contender } from "./arena.ts";
import { table } from "./report.ts";

const CUSTOMERS_AT_ONCE = 50;
/** A burst that takes longer, ms, is stuck. */
const PATIENCE_MS = 900_000;

export interface BurstPlan {
  messages: number;
  /** How long the backend takes for one, ms. */
  delayMs: number;
  /** When nothing has moved for so long, ms, it is over. */
  quietMs: number;
  /** The gateway is ended in good order and started again when half of them have come to the plugin. */
  restarts: boolean;
}

/** What became of a burst, counted at the far ends: what customers wrote and heard, and what came to the backend. */
export interface Burst extends BurstPlan {
  contender: Contender;
  /** Not at the backend, and shown to no claim hook: OpenClaw drops what is older than 60 s when a gateway connects first. */
  lostBefore: number;
  /** Shown to a claim hook, and never at the backend. */
  lost: number;
  /** At the backend more than once. */
  twice: number;
  /** At the backend behind one that its customer wrote later. */
  disordered: number;
  replies: { ordered: number; missing: number; twice: number; inDoubt: number };
  /** From the first message to the last at the backend, s. */
  seconds: number;
}

/** OpenClaw puts the first messages out of order of a customer whom it has never seen: each writes one before the bursts. */
export async function greet(arena: Arena): Promise<void> {
  await arena.take("empty");
  const wanted = arena.passed("empty") + CUSTOMERS_AT_ONCE;
  await Promise.all(
    CUSTOMERS.slice(0, CUSTOMERS_AT_ONCE).map((number) => arena.whatsapp.contact(number).says("Hello")),
  );
  await until("all are known", () => arena.passed("empty") >= wanted, PATIENCE_MS);
}

/** So many messages at once, to a backend that takes its time. Resolves when nothing moves any more. */
export async function burstAt(arena: Arena, contender: Contender, plan: BurstPlan): Promise<Burst> {
  await arena.take(contender);
  await arena.answers({ delayMs: plan.delayMs, replies: true });
  const written: string[] = [];
  const turns = new Set<string>();
  const posts: string[] = [];
  const [answered, heard] = [new Set<string>(), [] as string[]];
  const inDoubt = await doubts(arena);
  const begun = performance.now();
  let [movedAt, lastPost] = [begun, begun];
  const forget = arena.onPoint((point, id) => {
    movedAt = performance.now();
    if (point === "returned") turns.add(id);
    if (point === "posted") {
      posts.push(id);
      lastPost = movedAt;
    }
    if (point === "answered") answered.add(id);
    if (point === "heard") heard.push(id);
  });
  const chats = CUSTOMERS.slice(0, CUSTOMERS_AT_ONCE).map((number) => ({ number, ids: [] as string[] }));
  const write = async ({ number, ids }: (typeof chats)[number], customer: number) => {
    for (let n = customer; n < plan.messages; n += CUSTOMERS_AT_ONCE) {
      const { id } = await arena.whatsapp.contact(number).says(`Message ${n}: do you have it in red?`);
      ids.push(id);
      written.push(id);
    }
  };
  const writing = Promise.all(chats.map(write));
  if (plan.restarts) {
    while (turns.size < plan.messages / 2) await sleep(20);
    await arena.restart("all");
    movedAt = performance.now();
  }
  await writing;
  await atRest(arena, contender, () => performance.now() - movedAt > plan.quietMs);
  forget();
  const came = new Set(posts);
  const missing = written.filter((id) => !came.has(id));
  const hearings = Map.groupBy(heard, (id) => id);
  return {
    ...plan,
    contender,
    lostBefore: missing.filter((id) => !turns.has(id)).length,
    lost: missing.filter((id) => turns.has(id)).length,
    twice: [...Map.groupBy(posts, (id) => id).values()].filter(({ length }) => length > 1).length,
    disordered: chats.reduce((sum, { ids }) => sum + overtaken(ids, [...came]), 0),
    replies: {
      ordered: answered.size,
      missing: [...answered].filter((id) => !hearings.has(id)).length,
      twice: [...hearings.values()].filter(({ length }) => length > 1).length,
      inDoubt: (await doubts(arena)) - inDoubt,
    },
    seconds: (lastPost - begun) / 1_000,
  };
}

/** How many of a chat's messages came behind one that was written later. */
function overtaken(ids: readonly string[], came: readonly string[]): number {
  let latest = -1;
  let count = 0;
  for (const id of came) {
    const place = ids.indexOf(id);
    if (place < 0) continue;
    if (place < latest) count += 1;
    latest = Math.max(latest, place);
  }
  return count;
}

/** Also when one's queue is empty that outlives the process: what is in it is not lost. */
async function atRest(arena: Arena, contender: Contender, isQuiet: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    if (isQuiet() && (contender !== "ours" || (await areQueuesEmpty(arena)))) return;
    if (performance.now() > deadline) throw new Error(`the burst is not over after ${PATIENCE_MS} ms`);
    await sleep(200);
  }
}

async function areQueuesEmpty(arena: Arena): Promise<boolean> {
  const { messages, commands } = await health(arena);
  return messages["pending"] === 0 && commands["pending"] === 0 && commands["sending"] === 0;
}

const doubts = async (arena: Arena) => (await health(arena)).commands["in_doubt"] ?? 0;

async function health(arena: Arena) {
  const { body } = await arena.shop.health();
  return body as { messages: Record<string, number>; commands: Record<string, number> };
}

/** Side by side, as Markdown. */
export function lossTable(bursts: readonly Burst[]): string {
  const lines: [string, (burst: Burst) => string | number][] = [
    ["written", ({ messages }) => messages],
    ["lost, and shown to no claim hook", ({ lostBefore }) => lostBefore],
    ["**lost by the plugin**", ({ lost }) => lost],
    ["at the backend twice", ({ twice }) => twice],
    ["behind a later one of their chat", ({ disordered }) => disordered],
    ["replies ordered", ({ replies }) => replies.ordered],
    ["of them never on the phone", ({ replies }) => replies.missing],
    ["of these called in doubt, for the operator", ({ replies }) => replies.inDoubt],
    ["of them twice on the phone", ({ replies }) => replies.twice],
    ["s until the last was at the backend", ({ seconds }) => seconds.toFixed(0)],
  ];
  const title = ({ contender, restarts }: Burst) => CONTENDERS[contender] + (restarts ? ", gateway restarted" : "");
  const [{ messages, delayMs } = { messages: 0, delayMs: 0 }] = bursts;
  return [
    `${messages} messages of ${CUSTOMERS_AT_ONCE} customers at once, to a backend that takes ${delayMs / 1_000} s for each:`,
    "",
    table([["", ...bursts.map(title)], ...lines.map(([what, of]) => [what, ...bursts.map((it) => String(of(it)))])]),
  ].join("\n");
}
