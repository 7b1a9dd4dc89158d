import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { CUSTOMERS } from "../shop/shop.ts";
import { until } from "../until.ts";
import { type Arena, type Contender, openArena } from "./arena.ts";

const USAGE = `npm run bench:gateway -- [--rounds N] [--customers N] [--messages N] [--shared-cpus] [--json]

How many messages a second the real gateway passes with our plugin (and the sidecar and Hot Bags behind it), against a hook in
its place that claims each message and does nothing. It is one gateway for both, since two just like each other differ by a
tenth. In each round (default 30) first one then the other takes a burst, in the order A B B A: customers (default 20, at most
${CUSTOMERS.length}) write messages (default 5) each, all at once.

The gateway has a CPU of its own, so that the sidecar and the stand-ins, which have work to do for our plugin only, do not count as its
cost. With --shared-cpus all processes share all CPUs.
`;

/** What is promised: our plugin costs the gateway less than a twentieth of its messages. */
const PROMISED_RATIO = 0.95;
/** A burst that takes longer, ms, is stuck. */
const PATIENCE_MS = 300_000;

const say = (line: string) => void process.stderr.write(`${line}\n`);

type Plan = { rounds: number; customers: number; messages: number; sharedCpus: boolean };

function readPlan(): (Plan & { json: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "30" },
      customers: { type: "string", default: "20" },
      messages: { type: "string", default: "5" },
      "shared-cpus": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const counts = [values.rounds, values.customers, values.messages].map(Number);
  const [rounds = 0, customers = 0, messages = 0] = counts;
  const areCounts = counts.every((value) => Number.isInteger(value) && value > 0);
  if (values.help || !areCounts || customers > CUSTOMERS.length) return undefined;
  return { rounds, customers, messages, sharedCpus: values["shared-cpus"], json: values.json };
}

type Burst = { messagesPerSecond: number; gatewayCpuMs: number };

/** One burst, from the first message that a customer hands to WhatsApp to the last that passed; the gateway's CPU time is per message. */
async function burst(arena: Arena, contender: Contender, { customers, messages }: Plan): Promise<Burst> {
  await arena.take(contender);
  const wanted = arena.passed(contender) + customers * messages;
  const cpu = cpuMs(arena.pid());
  const start = performance.now();
  const writing = CUSTOMERS.slice(0, customers).map(async (number) => {
    for (let n = 0; n < messages; n += 1) {
      await arena.whatsapp.contact(number).says(`Message ${n}: do you have it in red?`);
    }
  });
  await Promise.all(writing);
  await until(`${contender}: all messages passed`, () => arena.passed(contender) >= wanted, PATIENCE_MS);
  const messagesPerSecond = (customers * messages) / ((performance.now() - start) / 1_000);
  return { messagesPerSecond, gatewayCpuMs: (cpuMs(arena.pid()) - cpu) / (customers * messages) };
}

/** CPU time that a process has used, in ms; not a number where the system has no /proc. */
function cpuMs(pid: number | undefined): number {
  try {
    const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ").slice(11, 13) ?? [];
    return (Number(user) + Number(system)) * 10;
  } catch {
    return Number.NaN;
  }
}

/** Of ratios the mean that takes twice as much and half as much for the same distance from 1. */
function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

type Results = Record<Contender, Burst[]>;

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const arena = await openArena(say);
  try {
    if (!plan.sharedCpus) {
      await arena.separate().catch(({ message }: Error) => {
        throw new Error(`the gateway can't have a CPU of its own (${message}): measure with --shared-cpus`);
      });
    }
    const results: Results = { ours: [], empty: [] };
    const contenders = ["ours", "empty"] as const;
    // A gateway loads much at its first messages only, and a customer's first message opens a session.
    for (const contender of contenders) await burst(arena, contender, plan);
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
        results[contender].push(await burst(arena, contender, plan));
      }
      const rate = (contender: Contender) => results[contender].at(-1)?.messagesPerSecond.toFixed(1);
      say(
        `round ${round + 1} of ${plan.rounds}: our plugin ${rate("ours")}, empty claim hook ${rate("empty")} messages/s`,
      );
    }
    report(plan, results);
    return 0;
  } finally {
    await arena.close();
  }
}

/** The ratio is the mean over the rounds, whose two bursts ran right after each other: what else the machine does meets both. */
function report({ json, ...plan }: Plan & { json: boolean }, { ours, empty }: Results): void {
  const rates = (bursts: readonly Burst[]) => bursts.map(({ messagesPerSecond }) => messagesPerSecond);
  const cpu = (bursts: readonly Burst[]) => bursts.map(({ gatewayCpuMs }) => gatewayCpuMs);
  const ratios = rates(ours).map((rate, round) => rate / (rates(empty)[round] ?? Number.NaN));
  const ratio = geometricMean(ratios);
  if (json) {
    const machine = { cpus: cpus().length, node: process.version };
    process.stdout.write(
      `${JSON.stringify({ ...plan, ...machine, ours, empty, ratios, ratio, promised: PROMISED_RATIO })}\n`,
    );
    return;
  }
  const row = (name: string, values: number[], digits: number) =>
    [
      name.padEnd(36),
      ...[geometricMean(values), Math.min(...values), Math.max(...values)].map((v) => v.toFixed(digits).padStart(8)),
    ].join("");
  const promise = `at least ${PROMISED_RATIO * 100}% with a CPU of its own`;
  const verdict = ratio >= PROMISED_RATIO ? "as promised" : "LESS than promised";
  const lines = [
    `${plan.rounds} rounds of ${plan.customers} customers x ${plan.messages} messages, ${cpus().length} CPUs (${plan.sharedCpus ? "shared by all" : "one of them the gateway's own"}), Node ${process.version}`,
    "",
    `${" ".repeat(38)}  mean     min     max`,
    row("messages/s, our plugin", rates(ours), 1),
    row("messages/s, empty claim hook", rates(empty), 1),
    row("ratio of a round", ratios, 3),
    row("gateway CPU ms/message, our plugin", cpu(ours), 1),
    row("gateway CPU ms/message, empty claim", cpu(empty), 1),
    "",
    `The gateway passes ${(ratio * 100).toFixed(1)}% of what it passes with an empty claim hook${plan.sharedCpus ? "" : `: ${verdict}`} (promised is ${promise}).`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
