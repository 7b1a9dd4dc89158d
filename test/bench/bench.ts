import { parseArgs } from "node:util";
import { systemClock } from "../../sidecar/src/clock.ts";
import { viewStore } from "../../sidecar/src/store/index.ts";
import { CONTENDERS, Contender, type Name } from "./contender.ts";
import { diskTable } from "./disk.ts";
import { FarEnds } from "./far-ends.ts";
import { backlog, checkLedger, flow, idle, singles } from "./flow.ts";
import { queuesTable } from "./queues/queues.ts";
import { type Figures, machine, report, writeChart, writeReport } from "./report.ts";
import { scaleTable } from "./scale.ts";

const USAGE = `npm run bench -- [--rounds N] [--quick] [--write] [--only NAME]
       npm run bench -- --scale | --queues | --disk [--rounds N] [--quick] [--write]

What the way through the sidecar takes, in a process of its own as it is deployed: the plugin's link over a unix socket, Hot Bags and
the gateway in another process, which answer at once. Beside it, in turns, a prototype of some 150 straight lines with the same
promises to the disk. Each run checks that every message and every reply came once and in order, and that the sidecar's ledger is right.

--rounds (default 3): the contenders take turns so many times. --quick: one short round, to see that it runs. --only: one of
${Object.keys(CONTENDERS).join(", ")}. --scale: instead, the sidecar's store alone
with 1,000 to 1,000,000 messages waiting, and with 100,000 chats; it takes some minutes, and 1.5 GB of disk. --queues: instead, the queue alone, ours beside
plainjob, BullMQ (needs Debian's redis-server) and pg-boss (on PostgreSQL). --disk: instead, on a disk whose
flushes take 2 and 10 ms longer, which \`strace\` holds back; beside a prototype whose commits are in a thread. --write: puts the tables into docs/performance.md.
`;

/** Messages and chats of each part. */
const WHOLE = {
  chats: 200,
  each: 50,
  eachQueued: 12,
  onSlowDisk: { each: 10, oneChat: 100, singles: 50 },
  warmUp: 10,
  oneChat: 5_000,
  singles: 300,
  backlog: 250,
  settleMs: 150_000,
  idleMs: 20_000,
  scales: {
    waiting: [1_000, 10_000, 100_000, 1_000_000],
    chats: [1_000, 10_000, 100_000],
    inOneChat: [1_000, 10_000, 100_000],
  },
};
const QUICK: typeof WHOLE = {
  chats: 20,
  each: 10,
  eachQueued: 6,
  onSlowDisk: { each: 2, oneChat: 5, singles: 5 },
  warmUp: 2,
  oneChat: 100,
  singles: 20,
  backlog: 20,
  settleMs: 0,
  idleMs: 1_000,
  scales: { waiting: [100, 1_000], chats: [100, 1_000], inOneChat: [100, 1_000] },
};

const WAYS: Name[] = ["group", "step", "sidecar"];

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function run(name: Name, ends: FarEnds, size: typeof WHOLE, isFirst: boolean): Promise<Figures> {
  const contender = await Contender.begin(name, ends);
  try {
    const idling = name === "sidecar" && isFirst ? await idle(contender, size) : null;
    // A process that has just started compiles more than it runs.
    await flow(contender, ends, size.chats, size.warmUp);
    const many = await flow(contender, ends, size.chats, size.each);
    say(
      `${CONTENDERS[name]}: ${Math.round(many.messagesPerSecond)} messages/s, ${Math.round(many.cpuUs)} us of CPU each`,
    );
    const one = await flow(contender, ends, 1, size.oneChat);
    const single = await singles(contender, ends, size.singles);
    const sidecarOnly = name === "sidecar" && isFirst;
    const waiting = sidecarOnly ? await backlog(contender, ends, size.chats, size.backlog) : null;
    await contender.stop();
    const messages = size.chats * (size.warmUp + size.each) + size.oneChat + size.singles;
    if (name === "sidecar")
      await checkLedger(viewStore(contender.folder, systemClock), messages + (waiting ? size.chats * size.backlog : 0));
    return { many, one, single, waiting, idle: idling };
  } finally {
    await contender.close();
  }
}

/** The sidecar and the prototypes, in turns, on the disk as it is. */
async function waysTable(names: readonly Name[], size: typeof WHOLE & { rounds: number }): Promise<string> {
  const ends = await FarEnds.start();
  const results = new Map<Name, Figures[]>(names.map((name) => [name, []]));
  try {
    for (let round = 0; round < size.rounds; round += 1) {
      say(`round ${round + 1} of ${size.rounds}`);
      for (const name of round % 2 === 0 ? names : names.toReversed())
        results.get(name)?.push(await run(name, ends, size, round === 0));
    }
  } finally {
    await ends.close();
  }
  return report(results, size);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      only: { type: "string" },
      scale: { type: "boolean", default: false },
      queues: { type: "boolean", default: false },
      disk: { type: "boolean", default: false },
      help: { type: "boolean", short: "h" },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const names = (values.only === undefined ? WAYS : [values.only]) as Name[];
  if (values.help || !Number.isInteger(rounds) || rounds < 1 || !names.every((name) => name in CONTENDERS)) {
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  const size = { ...(values.quick ? QUICK : WHOLE), rounds };
  const part = values.scale ? "scale" : values.queues ? "queues" : values.disk ? "disk" : "ways";
  const table = {
    ways: () => waysTable(names, size),
    async scale() {
      const { text, chart } = await scaleTable(size.scales, say);
      if (values.write) writeChart("scale", chart);
      return `${text}\n![The same as a chart](scale.svg)\n`;
    },
    queues: () => queuesTable({ ...size, each: size.eachQueued }, say),
    disk: () => diskTable({ ...size, ...size.onSlowDisk }, say),
  };
  const text = `${machine()}. ${await table[part]()}`;
  process.stdout.write(text);
  if (values.write) writeReport(part, text, "bench", process.argv.slice(2));
  return 0;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
});
