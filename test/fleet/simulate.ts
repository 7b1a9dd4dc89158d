import { parseArgs } from "node:util";

// Many numbers on paper: a day of shops, second by second, times what a message was measured to cost (docs/fleet.md).
// `node test/fleet/simulate.ts --numbers 10000 --messages 10000000`

/** Measured by `npm run bench:fleet`: own tables, one owner. A message that comes alone, and one of a batch of 32. */
const COST = {
  alone: { transactions: 4, walBytes: 4_000, serverCpuUs: 4_100 },
  batched: { transactions: 0.125, walBytes: 4_700, serverCpuUs: 610 },
};

/** Bytes of its rows and their indexes: while its text is kept, and its key afterwards. Measured as above. */
const ROW_BYTES = { text: 2_770, key: 670 };
const KEPT_DAYS = { text: 14, key: 90 };

/** Of a gateway with one account and its sidecar, GiB (systemd/README.md). How many accounts one gateway carries was not measured. */
const GIB_A_GATEWAY = 1.7;
const GIB_A_MACHINE = 32;
/** Connections of one sidecar to the database, and how often it renews its leases, s. */
const CONNECTIONS = 4;
const RENEWED_EVERY_S = 5;

/** Of a day, by hour: what share of the messages comes. A shop's customers write from morning to late evening. */
const HOURS = [1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 4, 6, 7, 7, 7, 6, 6, 6, 6, 7, 8, 9, 8, 6, 4, 2];
/** Of a busy shop to a usual one: the spread of the logarithm of their messages. */
const SPREAD = 1;

interface Day {
  mean: number;
  /** The busiest second, of all numbers and of one machine. */
  peak: number;
  peakOfMachine: number;
}

interface Fleet {
  numbers: number;
  messages: number;
  machines: number;
}

/** A seeded generator (mulberry32), so that a run can be made again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How many of something that comes by chance, `mean` in all on average. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** The busiest hour, second by second; the rest of the day is less than that. */
function day({ numbers, messages, machines }: Fleet, random: () => number): Day {
  const sizes = Array.from({ length: numbers }, () => Math.exp(SPREAD * normal(random)));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const shares = Array.from({ length: machines }, () => 0);
  for (const [n, size] of sizes.entries()) shares[n % machines] = (shares[n % machines] ?? 0) + size / all;
  const hours = HOURS.reduce((sum, hour) => sum + hour, 0);
  const perSecond = (messages * Math.max(...HOURS)) / hours / 3_600;
  let [peak, peakOfMachine] = [0, 0];
  for (let second = 0; second < 3_600; second++) {
    let sum = 0;
    for (const share of shares) {
      const count = poisson(perSecond * share, random);
      sum += count;
      peakOfMachine = Math.max(peakOfMachine, count);
    }
    peak = Math.max(peak, sum);
  }
  return { mean: messages / 86_400, peak, peakOfMachine };
}

function rowOf(numbers: number, messages: number): string[] {
  const machines = Math.ceil((numbers * GIB_A_GATEWAY) / GIB_A_MACHINE);
  const { mean, peak, peakOfMachine } = day({ numbers, messages, machines }, randomOf(1));
  const renewals = machines / RENEWED_EVERY_S;
  const { alone, batched } = COST;
  const kept = (ROW_BYTES.text * KEPT_DAYS.text + ROW_BYTES.key * (KEPT_DAYS.key - KEPT_DAYS.text)) * messages;
  return [
    numbers.toLocaleString("en"),
    messages.toLocaleString("en"),
    `${mean.toFixed(1)} / ${peak}`,
    String(peakOfMachine),
    String(machines),
    String(machines * CONNECTIONS),
    (peak * alone.transactions + renewals).toFixed(0),
    `${((peak * alone.serverCpuUs) / 1e6).toFixed(1)} (${((peak * batched.serverCpuUs) / 1e6).toFixed(1)})`,
    ((peak * alone.walBytes) / 1e6).toFixed(1),
    ((messages * alone.walBytes) / 1e9).toFixed(0),
    (kept / 1e9).toFixed(0),
  ];
}

const HEADER = [
  "numbers",
  "messages a day",
  "messages/s, mean / busiest second",
  "of one machine, busiest second",
  `machines of ${GIB_A_MACHINE} GiB, for the gateways`,
  "connections",
  "writing transactions/s",
  "server, cores (all batched)",
  "WAL, MB/s",
  "WAL, GB a day",
  "database, GB",
];

/** The table, as Markdown. */
export function simulation(fleets: readonly (readonly [numbers: number, messages: number])[]): string {
  const rows = fleets.map(([numbers, messages]) => rowOf(numbers, messages));
  return [HEADER, HEADER.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export const FLEETS = [
  [10, 10_000],
  [100, 100_000],
  [1_000, 1_000_000],
  [10_000, 10_000_000],
] as const;

if (import.meta.main) {
  const { values } = parseArgs({ options: { numbers: { type: "string" }, messages: { type: "string" } } });
  const given = [[Number(values.numbers ?? 10_000), Number(values.messages ?? 10_000_000)]] as const;
  console.log(simulation(values.numbers || values.messages ? given : FLEETS));
}
