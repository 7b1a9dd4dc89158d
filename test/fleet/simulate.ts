import { parseArgs } from "node:util";

// Many numbers on paper: a day of shops, second by second, times what a message was measured to cost (docs/fleet.md).
// `node test/fleet/simulate.ts --numbers 10000 --messages 10000000 --accounts 1`, of each gateway.

/** Measured by `npm run bench:fleet -- costs`: the bridge, a message that comes alone, and one of many that come at once. */
const COST = {
  alone: { transactions: 4.03, walBytes: 8_000, serverCpuUs: 11_600 },
  batched: { transactions: 0.2, walBytes: 5_300, serverCpuUs: 2_300 },
};

/** Of a sidecar in which nothing comes, in an hour (`idle`); its log grows with each account, and the rest does not. */
const IDLE = { transactions: 1_140, walBytes: 0.2e6, walBytesOfAccount: 0.18e6, serverCpuUs: 7e6 };

/**
 * Bytes of its rows and their indexes: while its text is kept, and its key (`bytes`). The text with 750 more, for what OpenClaw
 * says of a message is longer than in the bench.
 */
const ROW_BYTES = { text: 1_500, key: 1_770 };
const KEPT_DAYS = { text: 14, key: 90 };

/** Of a gateway with one account and its sidecar, GiB (systemd/README.md). What one with several takes was not measured. */
const GIB_A_GATEWAY = 1.7;
const GIB_A_MACHINE = 32;
/** Connections of one sidecar to the database. */
const CONNECTIONS = 4;

/** Of a day, by hour: what share of the messages comes. A shop's customers write from morning to late evening. */
const HOURS = [1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 4, 6, 7, 7, 7, 6, 6, 6, 6, 7, 8, 9, 8, 6, 4, 2];
/** Of a busy shop to a usual one: the spread of the logarithm of their messages. */
const SPREAD = 1;

interface Day {
  mean: number;
  /** The busiest second, of all numbers and of one gateway. */
  peak: number;
  peakOfGateway: number;
}

interface Fleet {
  numbers: number;
  messages: number;
  gateways: number;
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
function day({ numbers, messages, gateways }: Fleet, random: () => number): Day {
  const sizes = Array.from({ length: numbers }, () => Math.exp(SPREAD * normal(random)));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const shares = Array.from({ length: gateways }, () => 0);
  for (const [n, size] of sizes.entries()) shares[n % gateways] = (shares[n % gateways] ?? 0) + size / all;
  const hours = HOURS.reduce((sum, hour) => sum + hour, 0);
  const perSecond = (messages * Math.max(...HOURS)) / hours / 3_600;
  let [peak, peakOfGateway] = [0, 0];
  for (let second = 0; second < 3_600; second++) {
    let sum = 0;
    for (const share of shares) {
      const count = poisson(perSecond * share, random);
      sum += count;
      peakOfGateway = Math.max(peakOfGateway, count);
    }
    peak = Math.max(peak, sum);
  }
  return { mean: messages / 86_400, peak, peakOfGateway };
}

function rowOf(numbers: number, messages: number, accounts: number): string[] {
  const gateways = Math.ceil(numbers / accounts);
  const { mean, peak, peakOfGateway } = day({ numbers, messages, gateways }, randomOf(1));
  const { alone, batched } = COST;
  const idle = (what: "transactions" | "serverCpuUs") => (IDLE[what] * gateways) / 3_600;
  const cores = (cpuUs: number) => ((peak * cpuUs + idle("serverCpuUs")) / 1e6).toFixed(1);
  const idleWal = (gateways * IDLE.walBytes + numbers * IDLE.walBytesOfAccount) * 24;
  const kept = (ROW_BYTES.text * KEPT_DAYS.text + ROW_BYTES.key * KEPT_DAYS.key) * messages;
  return [
    `${numbers.toLocaleString("en")} (${accounts})`,
    messages.toLocaleString("en"),
    `${mean.toFixed(1)} / ${peak}`,
    String(peakOfGateway),
    Math.ceil((gateways * GIB_A_GATEWAY) / GIB_A_MACHINE).toLocaleString("en"),
    (gateways * CONNECTIONS).toLocaleString("en"),
    `${(peak * alone.transactions).toFixed(0)} + ${idle("transactions").toFixed(0)}`,
    `${cores(alone.serverCpuUs)} (${cores(batched.serverCpuUs)})`,
    `${((messages * alone.walBytes) / 1e9).toFixed(1)} + ${(idleWal / 1e9).toFixed(1)}`,
    (kept / 1e9).toFixed(0),
  ];
}

const HEADER = [
  "numbers (of each gateway)",
  "messages a day",
  "messages/s, mean / busiest second",
  "of one gateway, busiest second",
  `machines of ${GIB_A_MACHINE} GiB, for the gateways`,
  "connections",
  "writing transactions/s: messages, busiest second + idle",
  "server, cores (all batched)",
  "WAL, GB a day: messages + idle",
  "database, GB",
];

type Given = readonly [numbers: number, messages: number, accounts: number];

/** The table, as Markdown. */
export function simulation(fleets: readonly Given[]): string {
  const rows = fleets.map((given) => rowOf(...given));
  return [HEADER, HEADER.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

export const FLEETS: readonly Given[] = [
  [10, 10_000, 1],
  [100, 100_000, 1],
  [1_000, 1_000_000, 1],
  [10_000, 10_000_000, 1],
  [10_000, 10_000_000, 20],
];

if (import.meta.main) {
  const { values } = parseArgs({
    options: { numbers: { type: "string" }, messages: { type: "string" }, accounts: { type: "string" } },
  });
  const { numbers = 10_000, messages = 10_000_000, accounts = 1 } = values;
  const given = [[Number(numbers), Number(messages), Number(accounts)]] as const;
  console.log(simulation(values.numbers || values.messages || values.accounts ? given : FLEETS));
}
