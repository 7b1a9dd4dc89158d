import { setTimeout as sleep } from "node:timers/promises";
import type { InboundMessage } from "../../shared/src/index.ts";
import type { StoreView } from "../../sidecar/src/store/index.ts";
import { until } from "../until.ts";
import type { Contender } from "./contender.ts";
import type { Arrival, FarEnds } from "./far-ends.ts";
import { now } from "./plugin.ts";

const DEFAULT: readonly string[] = ["default"];

/** A customer's message of everyday size, with what OpenClaw says of it. */
export function messageOf(chat: number, n: string, account = "default"): InboundMessage {
  const number = `+1555${String(1_000_000 + chat)}`;
  const raw = {
    Body: "",
    From: number,
    To: "+15559990000",
    ChatType: "direct",
    Provider: "whatsapp",
    SenderName: "A customer",
  };
  return {
    account_id: account,
    message_id: `M${chat}-${n}`,
    chat_id: number,
    from: number,
    text: `Message ${n}: do you have the bag from the window in red too, and what would it be with the long strap?`,
    media: [],
    timestamp: new Date().toISOString(),
    raw,
  };
}

/** What one run of messages took. */
export interface Flow {
  messagesPerSecond: number;
  acceptedPerSecond: number;
  cpuUs: number;
  peakMb: number;
}

/**
 * So many messages of so many chats in turn, as fast as they are taken, one reply each. Resolves once all is on disk and
 * checked. The chats are those of these accounts, in turn.
 */
export async function flow(
  contender: Contender,
  ends: FarEnds,
  chats: number,
  each: number,
  accounts = DEFAULT,
): Promise<Flow> {
  const messages = messagesOf(chats, each, accounts);
  const [cpu, begun] = [contender.cpuMs(), now()];
  await contender.orEnds(contender.plugin.handIn(messages));
  const accepted = now();
  await contender.orEnds(ends.sent(messages.length));
  const answered = now();
  await isAtRest(contender);
  const cpuMs = contender.cpuMs() - cpu;
  check(messages, await ends.collect());
  return {
    messagesPerSecond: messages.length / ((answered - begun) / 1_000),
    acceptedPerSecond: messages.length / ((accepted - begun) / 1_000),
    cpuUs: (cpuMs * 1_000) / messages.length,
    peakMb: contender.rssMb("peak"),
  };
}

/** One message after the other, each with a chat of its own: how long until it is at Hot Bags, and its reply at the gateway, ms. */
export async function singles(
  contender: Contender,
  ends: FarEnds,
  count: number,
  accounts = DEFAULT,
): Promise<{ post: number[]; send: number[] }> {
  const messages = messagesOf(count, 1, accounts);
  const begun: number[] = [];
  for (const [n, message] of messages.entries()) {
    begun.push(now());
    await contender.orEnds(contender.plugin.handIn([message]));
    await contender.orEnds(ends.sent(n + 1));
    await sleep(10);
  }
  const { posts, sends } = await ends.collect();
  check(messages, { posts, sends });
  const since = (arrivals: Arrival[]) => arrivals.map(([, at], n) => at - (begun[n] ?? Number.NaN));
  return { post: since(posts), send: since(sends) };
}

export interface Backlog {
  takenInPerSecond: number;
  waitingMb: number;
  startMs: number;
  drainedPerSecond: number;
  peakMb: number;
}

/** So many messages while Hot Bags is down; then the contender is started anew, and Hot Bags is back. */
export async function backlog(contender: Contender, ends: FarEnds, chats: number, each: number): Promise<Backlog> {
  const messages = messagesOf(chats, each);
  ends.setDown(true);
  const begun = now();
  await contender.orEnds(contender.plugin.handIn(messages));
  const takenInPerSecond = messages.length / ((now() - begun) / 1_000);
  const waitingMb = contender.rssMb("peak");
  await contender.stop();
  ends.setDown(false);
  const startMs = await contender.start();
  const back = now();
  await contender.orEnds(ends.sent(messages.length));
  const drainedPerSecond = messages.length / ((now() - back) / 1_000);
  await isAtRest(contender);
  check(messages, await ends.collect());
  return { takenInPerSecond, waitingMb, startMs, drainedPerSecond, peakMb: contender.rssMb("peak") };
}

/** What it holds and uses, for `idleMs`, while there is nothing to do. Before that V8 may give back what the start took. */
export async function idle(
  contender: Contender,
  { settleMs, idleMs }: { settleMs: number; idleMs: number },
): Promise<{ mb: number; cpuPercent: number }> {
  await sleep(settleMs);
  const cpu = contender.cpuMs();
  await sleep(idleMs);
  return { mb: contender.rssMb("now"), cpuPercent: ((contender.cpuMs() - cpu) / idleMs) * 100 };
}

let runs = 0;
/** No two runs have a message in common: a known one is not delivered again. */
function messagesOf(chats: number, each: number, accounts = DEFAULT): InboundMessage[] {
  const run = runs++;
  return Array.from({ length: chats * each }, (_, n) =>
    messageOf(n % chats, `${run}.${Math.floor(n / chats)}`, accounts[(n % chats) % accounts.length]),
  );
}

/** Resolves when it has used no CPU time to speak of for a while: what came of the last send is on disk by then. */
async function isAtRest(contender: Contender): Promise<void> {
  let last = -1;
  const rests = () => {
    const before = last;
    last = contender.cpuMs();
    return last - before <= 10;
  };
  await until(`${contender.name} is at rest`, rests, 20_000, 100);
}

/** Exactly once each, and in order in each chat, at both ends. @throws Error with what is wrong. */
function check(messages: readonly InboundMessage[], arrived: { posts: Arrival[]; sends: Arrival[] }): void {
  const wanted = byChat(messages.map(({ message_id }) => message_id));
  for (const [end, arrivals] of Object.entries(arrived)) {
    const came = byChat(arrivals.map(([id]) => id));
    for (const chat of new Set([...wanted.keys(), ...came.keys()]))
      if (wanted.get(chat)?.join() !== came.get(chat)?.join())
        throw new Error(`${end} of chat ${chat} were not what was written, in order and once: ${came.get(chat)}`);
  }
}

function byChat(ids: readonly string[]): Map<string, string[]> {
  return Map.groupBy(ids, (id) => id.split("-")[0] ?? "");
}

/**
 * That the books of a sidecar that has ended are right: everything was taken, delivered and answered. Closes the store.
 * @throws Error with the counts.
 */
export async function checkLedger(store: StoreView, messages: number): Promise<void> {
  const { accepted, delivered, pending, dead, commands_sent: sent, ...others } = (await store.counts()).counters;
  store.close();
  const isRight = accepted === messages && delivered === messages && sent === messages && pending === 0 && dead === 0;
  if (!isRight)
    throw new Error(`the ledger is wrong: ${JSON.stringify({ accepted, delivered, pending, dead, sent, ...others })}`);
}
