import { setTimeout as sleep } from "node:timers/promises";
import { CUSTOMERS } from "../shop/shop.ts";
import { until } from "../until.ts";
import { type Arena, CONTENDERS, type Contender } from "./arena.ts";
import { cpuMs, treeRss } from "./processes.ts";
import { table } from "./report.ts";

/** A burst that takes longer, ms, is stuck. */
const PATIENCE_MS = 300_000;
/** Between two looks at the memory, ms. */
const LOOK_EVERY_MS = 200;
/** What is only garbage is gone after so long, ms, or stays. */
const SETTLE_MS = 10_000;
/** Of one gateway, for its memory. */
const BURSTS_OF_A_START = 5;

const NAMES: readonly Contender[] = ["empty", "ours", "usual"];

export interface Load {
  customers: number;
  /** Of each. */
  messages: number;
}

interface Burst {
  messagesPerSecond: number;
  /** Of the gateway, a message. */
  cpuMs: number;
}

export type Rounds = Record<Contender, Burst[]>;

/** RSS of a gateway, MB: at the most while messages came, and afterwards. */
export type Memory = Record<Contender, { peak: number; after: number }[]>;

/** One burst, from the first message that a customer hands to WhatsApp to the last that passed. */
export async function burst(arena: Arena, contender: Contender, { customers, messages }: Load): Promise<Burst> {
  await arena.take(contender);
  const wanted = arena.passed(contender) + customers * messages;
  const { pid } = arena.shop.gateway;
  const [cpu, start] = [cpuMs(pid), performance.now()];
  const writing = CUSTOMERS.slice(0, customers).map(async (number) => {
    for (let n = 0; n < messages; n += 1) {
      await arena.whatsapp.contact(number).says(`Message ${n}: do you have it in red?`);
    }
  });
  await Promise.all(writing);
  await until(`${contender}: all messages passed`, () => arena.passed(contender) >= wanted, PATIENCE_MS);
  const messagesPerSecond = (customers * messages) / ((performance.now() - start) / 1_000);
  return { messagesPerSecond, cpuMs: (cpuMs(pid) - cpu) / (customers * messages) };
}

/** All of them in turns, in one gateway. The backend answers at once, with no reply: the empty hook has none either. */
export async function rounds(arena: Arena, count: number, load: Load, say: (line: string) => void): Promise<Rounds> {
  await arena.answers({ delayMs: 0, replies: false });
  const results: Rounds = { empty: [], ours: [], usual: [] };
  // A gateway loads much at its first messages only, and a customer's first message opens a session.
  for (const contender of NAMES) await burst(arena, contender, load);
  for (let round = 0; round < count; round += 1) {
    for (const contender of round % 2 === 0 ? NAMES : NAMES.toReversed())
      results[contender].push(await burst(arena, contender, load));
    const rates = NAMES.map((name) => `${CONTENDERS[name]} ${results[name].at(-1)?.messagesPerSecond.toFixed(1)}`);
    say(`round ${round + 1} of ${count}: ${rates.join(", ")} messages/s`);
  }
  return results;
}

/** Each of them alone in a gateway of its own, in turns. */
export async function memory(arena: Arena, starts: number, load: Load, say: (line: string) => void): Promise<Memory> {
  await arena.answers({ delayMs: 0, replies: false });
  const results: Memory = { empty: [], ours: [], usual: [] };
  for (let start = 0; start < starts; start += 1)
    for (const contender of start % 2 === 0 ? NAMES : NAMES.toReversed()) {
      await arena.take(contender);
      await arena.restart("alone");
      let peak = 0;
      const look = () => {
        peak = Math.max(peak, treeRss(arena.shop.gateway.pid));
      };
      const looking = setInterval(look, LOOK_EVERY_MS);
      try {
        for (let n = 0; n < BURSTS_OF_A_START; n += 1) await burst(arena, contender, load);
      } finally {
        clearInterval(looking);
      }
      look();
      await sleep(SETTLE_MS);
      const figures = { peak: peak / 1e6, after: treeRss(arena.shop.gateway.pid) / 1e6 };
      results[contender].push(figures);
      say(
        `${CONTENDERS[contender]} alone: ${figures.peak.toFixed(0)} MB at the most, ${figures.after.toFixed(0)} after`,
      );
    }
  return results;
}

/** Of ratios the mean that takes twice as much and half as much for the same distance from 1. */
export function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

/** Of what the empty hook passes, in the burst right beside it: what else the machine does meets both. */
export function ratios(results: Rounds, contender: Contender): number[] {
  return results[contender].map(
    ({ messagesPerSecond }, round) => messagesPerSecond / (results.empty[round]?.messagesPerSecond ?? Number.NaN),
  );
}

/** Side by side, as Markdown. */
export function roundsTable(results: Rounds, load: Load, gatewaysCpu: string): string {
  const row = (what: string, of: (name: Contender) => string) => [what, ...NAMES.map(of)];
  const mean = (name: Contender, of: (burst: Burst) => number) => geometricMean(results[name].map(of)).toFixed(1);
  const spread = (values: readonly number[]) =>
    `${(geometricMean(values) * 100).toFixed(0)}% (${(Math.min(...values) * 100).toFixed(0)} to ${(Math.max(...values) * 100).toFixed(0)})`;
  return [
    `${results.ours.length} rounds of ${load.customers} customers x ${load.messages} messages; ${gatewaysCpu}:`,
    "",
    table([
      ["", ...NAMES.map((name) => CONTENDERS[name])],
      row("messages/s, mean", (name) => mean(name, ({ messagesPerSecond }) => messagesPerSecond)),
      row("of the empty hook's in the same round, mean (least to most)", (name) => spread(ratios(results, name))),
      row("the gateway's CPU time, ms a message", (name) => mean(name, ({ cpuMs: ms }) => ms)),
    ]),
  ].join("\n");
}

/** Side by side, as Markdown. */
export function memoryTable(results: Memory, load: Load): string {
  const all = (name: Contender, of: "peak" | "after") => results[name].map((it) => it[of].toFixed(0)).join(", ");
  const starts = results.ours.length;
  const messages = BURSTS_OF_A_START * load.customers * load.messages;
  return [
    `RSS of the gateway and all that it starts, MB, each plugin alone in ${starts === 1 ? "a gateway" : `${starts} gateways`} with ${messages} messages:`,
    "",
    table([
      ["", ...NAMES.map((name) => CONTENDERS[name])],
      ["at the most, while they come", ...NAMES.map((name) => all(name, "peak"))],
      [`${SETTLE_MS / 1_000} s after`, ...NAMES.map((name) => all(name, "after"))],
    ]),
  ].join("\n");
}
