import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { CUSTOMERS } from "../shop/shop.ts";
import { until } from "../until.ts";
import { type Contender, startBridge, startEmptyClaim } from "./contenders.ts";

const USAGE = `npm run bench -- [--rounds N] [--customers N] [--messages N] [--json]

How many messages a second the real gateway passes with our plugin (and the sidecar and Hot Bags behind it), against the same
gateway with a plugin that claims each message and does nothing. Both gateways run, one is measured while the other idles, in
the order A B B A; a round is one burst for each. Customers (default 20, at most ${CUSTOMERS.length}) write messages (default 10) each, all at once.
`;

/** What is promised: our plugin costs the gateway less than a twentieth of its messages. */
const PROMISED_RATIO = 0.95;
/** A burst that takes longer, ms, is stuck. */
const PATIENCE_MS = 300_000;

const say = (line: string) => void process.stderr.write(`${line}\n`);

type Plan = { rounds: number; customers: number; messages: number };

function readPlan(): (Plan & { json: boolean }) | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "8" },
      customers: { type: "string", default: "20" },
      messages: { type: "string", default: "10" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const [rounds, customers, messages] = [values.rounds, values.customers, values.messages].map(Number);
  const isCount = (value: number | undefined): value is number => Number.isInteger(value) && Number(value) > 0;
  if (values.help || !isCount(rounds) || !isCount(customers) || !isCount(messages) || customers > CUSTOMERS.length)
    return undefined;
  return { rounds, customers, messages, json: values.json };
}

type Burst = { messagesPerSecond: number; gatewayCpuMs: number };

/** One burst, from the first message that a customer hands to WhatsApp to the last that passed; the gateway's CPU time is per message. */
async function burst({ whatsapp, passed, pid, name }: Contender, { customers, messages }: Plan): Promise<Burst> {
  const wanted = passed() + customers * messages;
  const cpu = cpuMs(pid());
  const start = performance.now();
  const writing = CUSTOMERS.slice(0, customers).map(async (number) => {
    for (let n = 0; n < messages; n += 1) await whatsapp.contact(number).says(`Message ${n}: do you have it in red?`);
  });
  await Promise.all(writing);
  await until(`${name}: all messages passed`, () => passed() >= wanted, PATIENCE_MS);
  const messagesPerSecond = (customers * messages) / ((performance.now() - start) / 1_000);
  return { messagesPerSecond, gatewayCpuMs: (cpuMs(pid()) - cpu) / (customers * messages) };
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

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const contenders: Contender[] = [];
  try {
    const bridge = await startBridge(say);
    contenders.push(bridge);
    const empty = await startEmptyClaim(say);
    contenders.push(empty);
    // A gateway loads much at its first messages only, and a customer's first message opens a session.
    for (const contender of contenders) await burst(contender, plan);
    const ours: Burst[] = [];
    const theirs: Burst[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      for (const contender of round % 2 === 0 ? [bridge, empty] : [empty, bridge]) {
        const measured = await burst(contender, plan);
        (contender === bridge ? ours : theirs).push(measured);
        const { messagesPerSecond, gatewayCpuMs } = measured;
        say(
          `round ${round + 1}: ${contender.name} ${messagesPerSecond.toFixed(1)} messages/s, ${gatewayCpuMs.toFixed(1)} ms CPU each`,
        );
      }
    }
    report(plan, ours, theirs);
    return 0;
  } finally {
    for (const contender of contenders) await contender.close();
  }
}

/** The ratio is the median over the rounds, whose two bursts ran right after each other: what else the machine does meets both. */
function report({ json, ...plan }: Plan & { json: boolean }, ours: Burst[], theirs: Burst[]): void {
  const rates = (bursts: Burst[]) => bursts.map(({ messagesPerSecond }) => messagesPerSecond);
  const cpu = (bursts: Burst[]) => bursts.map(({ gatewayCpuMs }) => gatewayCpuMs);
  const ratios = ours.map(
    ({ messagesPerSecond }, round) => messagesPerSecond / (theirs[round]?.messagesPerSecond ?? Number.NaN),
  );
  const ratio = median(ratios);
  if (json) {
    const result = {
      ...plan,
      cpus: cpus().length,
      node: process.version,
      ours,
      empty: theirs,
      ratios,
      ratio,
      promised: PROMISED_RATIO,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const row = (name: string, values: number[], digits: number) =>
    [
      name.padEnd(36),
      ...[median(values), Math.min(...values), Math.max(...values)].map((v) => v.toFixed(digits).padStart(8)),
    ].join("");
  const lines = [
    `${plan.rounds} rounds of ${plan.customers} customers x ${plan.messages} messages, ${cpus().length} CPUs, Node ${process.version}`,
    "",
    `${" ".repeat(38)}median     min     max`,
    row("messages/s, our plugin", rates(ours), 1),
    row("messages/s, empty claim hook", rates(theirs), 1),
    row("ratio of a round", ratios, 3),
    row("gateway CPU ms/message, our plugin", cpu(ours), 1),
    row("gateway CPU ms/message, empty claim", cpu(theirs), 1),
    "",
    `The gateway passes ${(ratio * 100).toFixed(1)}% of what it passes with an empty claim hook: ${ratio >= PROMISED_RATIO ? "as promised" : "LESS than promised"} (at least ${PROMISED_RATIO * 100}%).`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
