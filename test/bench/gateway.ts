import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { CUSTOMERS } from "../shop/shop.ts";
import { type Arena, openArena } from "./arena.ts";
import { growth, growthTable } from "./growth.ts";
import { hopsTable, singles } from "./hops.ts";
import { type Burst, burstAt, greet, lossTable } from "./loss.ts";
import { machine, writeReport } from "./report.ts";
import { geometricMean, memory, memoryTable, ratios, rounds, roundsTable } from "./rounds.ts";

const PARTS = ["hops", "loss", "memory", "growth", "rounds"] as const;
type Part = (typeof PARTS)[number];

const USAGE = `npm run bench:gateway -- [--only PART ...] [--singles N] [--burst N] [--delay MS] [--starts N] [--rounds N] [--customers N]
                     [--messages N] [--shared-cpus] [--quick] [--json] [--write]

What the bridge costs on the real gateway. Its parts, of which --only chooses:
hops     messages one by one (--singles, default 300), each with a reply: what each hop from phone to phone takes;
loss     a burst (--burst, default 500) at a backend that takes its time (--delay, default 1500 ms), with our plugin and with the
         usual one, which fetches in message_received: what is lost, twice, out of order; also when the gateway restarts;
memory   what a gateway holds with an empty claim hook, with ours and with the usual plugin, in so many starts (--starts, default 2);
growth   what a gateway holds on to of each message, with an empty claim hook and with ours, without garbage, in as many rounds as below;
rounds   messages a second with each of the three, in turns in one gateway, since two just like each other differ by a tenth. In each
         round (--rounds, default 15) customers (--customers, default 20, at most ${CUSTOMERS.length}) write messages (--messages, default 5) each, all at
         once. The gateway has a CPU of its own there, so that the sidecar and the stand-ins, which have work to do for our plugin only,
         do not count as its cost; with --shared-cpus all processes share all CPUs.

--quick: the least of each, to see that it runs. --write: puts the tables into docs/performance.md.
`;

/** What is promised: our plugin costs the gateway less than a twentieth of its messages. */
const PROMISED_RATIO = 0.95;

const say = (line: string) => void process.stderr.write(`${line}\n`);

const WHOLE = { singles: 300, burst: 500, delay: 1_500, starts: 2, rounds: 15, customers: 20, messages: 5 };
const QUICK: typeof WHOLE = { singles: 5, burst: 50, delay: 100, starts: 1, rounds: 1, customers: 5, messages: 2 };
/** Nothing has moved for so long, ms: what has not come by then does not come. OpenClaw gives a hook 2 s, and the backend takes less. */
const QUIET_MS = { whole: 20_000, quick: 5_000 };

type Plan = typeof WHOLE & { quietMs: number; parts: readonly Part[]; sharedCpus: boolean };

function readPlan(): (Plan & { json: boolean; write: boolean }) | undefined {
  const counts = Object.fromEntries(Object.keys(WHOLE).map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({
    options: {
      ...counts,
      only: { type: "string", multiple: true, default: [...PARTS] },
      "shared-cpus": { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const given = Object.entries(values).filter(([name]) => name in WHOLE);
  const sizes = {
    ...(values.quick ? QUICK : WHOLE),
    ...Object.fromEntries(given.map(([name, value]) => [name, Number(value)])),
  };
  const areCounts = Object.values(sizes).every((value) => Number.isInteger(value) && value > 0);
  const parts = PARTS.filter((part) => values.only.includes(part));
  const areParts = values.only.every((part) => parts.some((known) => known === part));
  if (values.help || !areCounts || !areParts || sizes.customers > CUSTOMERS.length) return undefined;
  const quietMs = QUIET_MS[values.quick ? "quick" : "whole"];
  return { ...sizes, quietMs, parts, sharedCpus: values["shared-cpus"], json: values.json, write: values.write };
}

/** Each part's table, and its figures. */
async function measure(arena: Arena, plan: Plan): Promise<{ text: string; figures: object }[]> {
  const measures: Record<Part, () => Promise<{ text: string; figures: object }>> = {
    async hops() {
      const ways = await singles(arena, plan.singles);
      return { text: hopsTable(ways), figures: { ways } };
    },
    async loss() {
      const bursts: Burst[] = [];
      const burst = { messages: plan.burst, delayMs: plan.delay, quietMs: plan.quietMs };
      await greet(arena);
      for (const restarts of [false, true])
        for (const contender of ["usual", "ours"] as const) {
          bursts.push(await burstAt(arena, contender, { ...burst, restarts }));
          say(JSON.stringify(bursts.at(-1)));
        }
      return { text: lossTable(bursts), figures: { bursts } };
    },
    async memory() {
      const results = await memory(arena, plan.starts, plan, say);
      await arena.restart("all");
      return { text: memoryTable(results, plan), figures: { memory: results } };
    },
    async growth() {
      const results = await growth(arena, plan.rounds, plan.customers, say);
      return { text: growthTable(results, plan.customers), figures: { growth: results } };
    },
    async rounds() {
      if (!plan.sharedCpus)
        await arena.separate().catch(({ message }: Error) => {
          throw new Error(`the gateway can't have a CPU of its own (${message}): measure with --shared-cpus`);
        });
      const results = await rounds(arena, plan.rounds, plan, say);
      const ratio = geometricMean(ratios(results, "ours"));
      const verdict = ratio >= PROMISED_RATIO ? "as promised" : "LESS than promised";
      say(
        `our plugin: ${(ratio * 100).toFixed(1)}% of the empty hook; ${plan.sharedCpus ? "promised with a CPU of its own" : verdict}`,
      );
      const gatewaysCpu = plan.sharedCpus ? "all processes on all CPUs" : "one CPU is the gateway's own";
      return { text: roundsTable(results, plan, gatewaysCpu), figures: { rounds: results, ratio } };
    },
  };
  const done = [];
  for (const part of plan.parts) {
    say(part);
    done.push(await measures[part]());
  }
  return done;
}

async function main(): Promise<number> {
  const plan = readPlan();
  if (plan === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const arena = await openArena(say);
  try {
    const measured = await measure(arena, plan);
    const texts = measured.map(({ text }) => `${machine()}. ${text}\n`);
    const figures = { ...plan, cpus: cpus().length, node: process.version, promised: PROMISED_RATIO };
    const json = JSON.stringify(Object.assign(figures, ...measured.map((part) => part.figures)));
    process.stdout.write(plan.json ? `${json}\n` : texts.join("\n"));
    if (plan.write)
      for (const [n, part] of plan.parts.entries())
        writeReport(part, texts[n] ?? "", "bench:gateway", process.argv.slice(2));
    return 0;
  } finally {
    await arena.close();
  }
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
});
