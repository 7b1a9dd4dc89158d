import type { Fault } from "../hotbags/index.ts";
import { writtenDown } from "../openclaw/ingress.ts";
import type { Shop } from "../shop/shop.ts";
import type { Contact, Sent } from "../whatsapp/index.ts";
import { count, type Death, type Ledger } from "./ledger.ts";
import { type Random, seeded } from "./random.ts";
import { noteCaptured, settled } from "./settled.ts";

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
  const deaths: Death[] = [];
  const { captured, forget } = noteCaptured(shop);
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

function pause(random: Random, [least, most]: readonly [number, number]): Promise<void> {
  return wait(random.between(least, most));
}

/** Time that passes is what this is about; nothing is waited for with it. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
