import type { Fault } from "../hotbags/index.ts";
import { writtenDown } from "../openclaw/ingress.ts";
import type { Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Contact, Sent } from "../whatsapp/index.ts";
import { count, type Death, type Ledger } from "./ledger.ts";
import { type Random, seeded } from "./random.ts";

export interface KillLoopOptions {
  seed: number;
  /** Customers write until then, ms. What is on its way is waited for after it. */
  durationMs: number;
  /** Gateway kills in that time: each costs a start of 10 to 20 s. */
  gatewayKills: number;
  customers: number;
  /** Messages a second over all customers, on average. OpenClaw passes 20 to 25 sends a second, and each message gets two replies. */
  messagesPerSecond: number;
  log(line: string): void;
}

/** When nothing has moved for this time after the last kill, ms, something hangs. The longest wait is that of a message between two attempts. */
const STALLED_MS = 120_000;

/** OpenClaw has sent its receipt before it hands a message over, and drops some: nothing has moved for this time, ms, when all are through. */
const HANDED_OVER_MS = 15_000;

/** However much there is to do at the end, OpenClaw does it at 20 replies a second. */
const SETTLE_MS = 3_600_000;

/** How the faults' and the killers' turns are spaced, ms. */
const PAUSE_MS = { fault: [100, 1_500], kill: [800, 4_000], down: [0, 2_500] } as const;

const FAULTS: readonly Fault[] = [
  { status: 503 },
  { status: 500 },
  "drop",
  "drop-after-processing",
  "truncate",
  { delayMs: 400 },
];

/**
 * Lets many customers write while the gateway, the sidecar and Hot Bags are killed at random, then waits until all has settled and
 * counts. The seed repeats what is killed and said; how the processes interleave with it is the machine's.
 */
export async function killLoop(shop: Shop, options: KillLoopOptions): Promise<Ledger> {
  const sent: Sent[] = [];
  const captured = new Set<string>();
  const deaths: Death[] = [];
  const forget = shop.gateway.onLine((line) => {
    const id = /message_id=(\S+) captured$/.exec(line)?.[1];
    if (id !== undefined) captured.add(id);
  });
  const endsAt = performance.now() + options.durationMs;
  const isOver = () => performance.now() > endsAt;
  shop.hotbags.answers(({ message_id }) => [
    { command_id: `${message_id}-a`, type: "send_text", text: `a reply to ${message_id}` },
    { command_id: `${message_id}-b`, type: "send_text", text: `b reply to ${message_id}` },
  ]);
  const random = seeded(options.seed);
  const seedOf = () => random.between(0, 2 ** 31);
  const contacts = Array.from({ length: options.customers }, () => shop.newCustomer());
  // One word with each first: a burst from a contact that Baileys has never seen is reordered before it gets to OpenClaw.
  for (const contact of contacts) {
    sent.push(await contact.says("hello"));
    await contact.hears();
  }
  const sidecar = { name: "the sidecar", down: () => shop.sidecar.kill(), up: () => shop.sidecar.start() };
  const hotbags = { name: "Hot Bags", down: () => shop.hotbags.stop(), up: () => shop.hotbags.start() };
  await Promise.all([
    ...contacts.map((contact) => write(contact, seeded(seedOf()), options, isOver, sent)),
    fail(shop, seeded(seedOf()), isOver),
    kill(sidecar, seeded(seedOf()), isOver, options.log),
    kill(hotbags, seeded(seedOf()), isOver, options.log),
    killGateway(shop, seeded(seedOf()), options, deaths),
  ]);
  options.log(`${sent.length} messages are written; waiting until all has settled`);
  shop.hotbags.clearFaults();
  const inDoubt = await settled(shop, sent);
  sent.sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  forget();
  return count(shop, sent, [...captured], deaths, inDoubt);
}

async function write(
  contact: Contact,
  random: Random,
  { customers, messagesPerSecond }: KillLoopOptions,
  isOver: () => boolean,
  sent: Sent[],
): Promise<void> {
  const meanMs = (1_000 * customers) / messagesPerSecond;
  for (let n = 1; !isOver(); n++) {
    sent.push(await contact.says(`message ${n} of ${contact.number}`));
    await wait(2 * meanMs * random.next());
  }
}

/** Hot Bags answers now and then in a way it should not. */
async function fail(shop: Shop, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    shop.hotbags.next(random.pick(FAULTS));
    await pause(random, PAUSE_MS.fault);
  }
}

/** Something that is taken down without warning, and brought back. */
interface Victim {
  name: string;
  down(): Promise<unknown>;
  up(): Promise<void>;
}

async function kill(victim: Victim, random: Random, isOver: () => boolean, log: (line: string) => void): Promise<void> {
  while (!isOver()) {
    await pause(random, PAUSE_MS.kill);
    log(`kill ${victim.name}`);
    await victim.down();
    await pause(random, PAUSE_MS.down);
    await victim.up();
  }
}

/**
 * Kills spread over the time. The connection to WhatsApp itself is not cut here: OpenClaw calls a reply sent once it is written to that connection,
 * so what is in it at a cut is lost without anybody knowing.
 */
async function killGateway(
  shop: Shop,
  random: Random,
  { durationMs, gatewayKills, log }: KillLoopOptions,
  deaths: Death[],
): Promise<void> {
  const share = durationMs / (gatewayKills + 1);
  for (let n = 0; n < gatewayKills; n++) {
    await wait(share * (0.5 + random.next()));
    log("kill the gateway");
    await shop.gateway.kill();
    const wroteDown = writtenDown(shop.gateway.stateDir);
    const connectedMs = nextConnection(shop);
    await shop.restartGateway();
    deaths.push({ untilMs: await connectedMs, wroteDown });
    log("the gateway is back");
  }
}

/** When the gateway is connected to WhatsApp the next time, ms since the epoch. */
function nextConnection({ whatsapp }: Shop): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const forget = whatsapp.onEvent(({ type, atMs }) => {
    if (type !== "connected") return;
    forget();
    resolve(atMs);
  });
  return promise;
}

/** Waits until nothing moves any more. Returns how many replies are in doubt, or were handed to the gateway's own queue and dropped there. */
async function settled(shop: Shop, sent: readonly Sent[]): Promise<number> {
  let seen = "";
  let movedAt = performance.now();
  return until(
    "everything is settled",
    async () => {
      const { status, body } = await shop.health();
      const taken = sent.filter(({ receipt }) => receipt !== undefined).length;
      const now = JSON.stringify([taken, body["messages"], body["commands"]], (key, value) =>
        key === "oldest_wait_ms" ? 0 : value,
      );
      if (now !== seen) movedAt = performance.now();
      seen = now;
      if (performance.now() - movedAt > STALLED_MS)
        throw new Error(`nothing has moved for ${STALLED_MS} ms: ${JSON.stringify(body)}`);
      const { pending } = body["messages"] as { pending: number };
      const commands = body["commands"] as Record<string, number>;
      const { outbox } = body["plugin"] as { outbox: { messages: number } | null };
      // What OpenClaw has not taken yet is still to come: on a busy machine it listens long after it is connected.
      const isTaken = taken === sent.length;
      const isQuiet = pending === 0 && commands["pending"] === 0 && commands["sending"] === 0;
      const idle = isTaken && isQuiet && outbox?.messages === 0;
      // A green light: nothing is down, so nothing more can come by itself.
      if (status !== 200 || !idle) return undefined;
      const accepted = new Set(shop.hotbags.accepted.map(({ message_id }) => message_id));
      const isThrough = sent.every(({ id }) => accepted.has(id));
      if (!isThrough && performance.now() - movedAt < HANDED_OVER_MS) return undefined;
      return { inDoubt: commands["in_doubt"] ?? 0 };
    },
    SETTLE_MS,
  ).then(({ inDoubt }) => inDoubt);
}

function pause(random: Random, [least, most]: readonly [number, number]): Promise<void> {
  return wait(random.between(least, most));
}

/** Time that passes is what this is about; nothing is waited for with it. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
