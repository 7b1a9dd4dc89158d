import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine } from "../bench/report.ts";
import { type Cost, ENGINES, measure, type Run, search } from "./cost.ts";
import { type MoveCost, measureMoves } from "./moves.ts";
import { measureBytes, measureIdle, measureProduct, type ProductRun } from "./product-cost.ts";
import { FLEETS, simulation } from "./simulate.ts";
import { ASK_MS, ENDS, RENEW_MS, TTL_MS, takeOver } from "./take-over.ts";

// What a message costs a PostgreSQL, with the bridge itself and by what the queue is: `npm run bench:fleet`.

const DOC = fileURLToPath(new URL("../../docs/fleet.md", import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
const QUICK = options.quick;
const MESSAGES = QUICK ? 400 : 3_200;
const WARM_UP = QUICK ? 200 : 1_000;
const MOVED = QUICK ? 20_000 : 1_000_000;
const WAITING = QUICK ? [1_000, 10_000] : [1_000, 100_000, 300_000];

const BRIDGE: ProductRun[] = [
  { room: "postgres", processes: 1, load: "one at a time" },
  { room: "postgres", processes: 1, load: "32 at a time" },
  { room: "postgres", processes: 1, load: "all at once" },
  { room: "postgres", processes: 2, load: "all at once" },
  { room: "postgres", processes: 4, load: "all at once" },
  { room: "postgres", processes: 1, load: "one at a time", pooled: 4 },
  { room: "postgres", processes: 4, load: "all at once", pooled: 4 },
  { room: "postgres", processes: 1, load: "one at a time", accounts: 20 },
  { room: "postgres", processes: 1, load: "one at a time", accounts: 200 },
  { room: "postgres", processes: 1, load: "all at once", accounts: 200 },
  { room: "sqlite", processes: 1, load: "one at a time" },
  { room: "sqlite", processes: 1, load: "32 at a time" },
  { room: "sqlite", processes: 1, load: "all at once" },
];
const QUEUES: Run[] = [
  { engine: "own", processes: 1, batch: 1 },
  { engine: "pg-boss", processes: 1, batch: 1 },
  { engine: "own", processes: 1, batch: 32 },
  { engine: "pg-boss", processes: 1, batch: 32 },
];
const WHAT = { text: "its request and answer", key: "its row, its chat's and its reply's" };
const ROOMS = { postgres: "on PostgreSQL", sqlite: "on SQLite" };
const ACCOUNTS = QUICK ? [5] : [1, 20, 200];
const IDLE_MS = QUICK ? 1_000 : 120_000;

/** What of a message is shown. */
const COST: [string, (cost: Cost) => string][] = [
  ["writing transactions", ({ writes }) => writes.toFixed(2)],
  ["all transactions", ({ transactions }) => transactions.toFixed(1)],
  ["WAL, bytes", ({ walBytes }) => walBytes.toFixed(0)],
  ["CPU of the server, us", ({ serverCpuUs }) => serverCpuUs.toFixed(0)],
  ["CPU of the client, us", ({ clientCpuUs }) => clientCpuUs.toFixed(0)],
  ["messages/s", ({ perSecond }) => perSecond.toFixed(0)],
  ["connections", ({ connections }) => String(connections)],
];

/** Each part of docs/fleet.md; with arguments, only these. */
const PARTS = { costs, idle, bytes, queues, search: searches, takeovers, moves, simulation: simulated };
for (const [name, part] of Object.entries(PARTS))
  if (positionals.length === 0 || positionals.includes(name)) put(name, await part());

async function costs(): Promise<string> {
  const header = ["the bridge", "sidecars (accounts of each)", "messages come", ...COST.map(([title]) => title)];
  const sizes = { "one at a time": MESSAGES / 16, "32 at a time": MESSAGES / 10, "all at once": MESSAGES };
  const runs = QUICK ? BRIDGE.filter(({ processes }) => processes === 2) : BRIDGE;
  const rows: string[][] = [];
  for (const run of runs) {
    const { room, processes, accounts = 1, pooled, load } = run;
    const cost = await measureProduct(run, sizes[load], WARM_UP, !QUICK);
    const how = pooled ? `, pooler of ${pooled}` : "";
    const figures = COST.map(([title, of]) => (isKnown(run, title) ? of(cost) : "-"));
    rows.push([ROOMS[room], `${processes} (${accounts})${how}`, load, ...figures]);
    console.error(rows.at(-1)?.join(" | "));
  }
  return `${machine()}.\n\n${table(header, rows)}`;
}

/** Of the embedded store there is no server; and a pause between messages makes no rate. */
function isKnown({ room, load }: ProductRun, title: string): boolean {
  if (title === "messages/s") return load === "all at once";
  return room === "postgres" || title === "CPU of the client, us";
}

async function queues(): Promise<string> {
  const rows: string[][] = [];
  for (const run of QUEUES) {
    const messages = run.batch === 1 ? MESSAGES / 16 : MESSAGES;
    const cost = await measure(run, Math.ceil(messages / run.batch / run.processes) * run.batch);
    rows.push([ENGINES[run.engine], String(run.batch), ...COST.map(([, of]) => of(cost))]);
    console.error(rows.at(-1)?.join(" | "));
  }
  return table(["the queue alone", "messages a transaction", ...COST.map(([title]) => title)], rows);
}

async function idle(): Promise<string> {
  const rows: string[][] = [];
  for (const accounts of ACCOUNTS) {
    const { writes, transactions, walBytes, serverCpuUs, cpuUs, rssMb } = await measureIdle(accounts, IDLE_MS);
    const seconds = (us: number) => (us / 1e6).toFixed(0);
    const numbers = [writes, transactions].map((n) => Math.round(n).toLocaleString("en"));
    const others = [(walBytes / 1e6).toFixed(1), seconds(serverCpuUs), seconds(cpuUs), rssMb.toFixed(0)];
    rows.push([String(accounts), ...numbers, ...others]);
    console.error(rows.at(-1)?.join(" | "));
  }
  const figures = [
    "writing transactions",
    "all transactions",
    "WAL, MB",
    "CPU of the server, s",
    "CPU of the sidecar, s",
  ];
  return table(["accounts of a sidecar; in an hour without messages", ...figures, "RSS of the sidecar, MB"], rows);
}

async function searches(): Promise<string> {
  const rows: string[][] = [];
  for (const waiting of WAITING) {
    const { own, boss } = await search(waiting);
    rows.push([waiting.toLocaleString("en"), own.toFixed(2), boss.toFixed(2)]);
    console.error(rows.at(-1)?.join(" | "));
  }
  return table(["messages waiting; ms of CPU", "own tables: the head of a chat", "pg-boss: a fetch of 10"], rows);
}

async function bytes(): Promise<string> {
  const { packed, ...written } = await measureBytes(MESSAGES);
  const rows = (["text", "key"] as const).map((part) => [
    WHAT[part],
    written[part].toFixed(0),
    packed[part].toFixed(0),
  ]);
  return table(["of a delivered message with its reply", "bytes, with indexes", "packed (VACUUM FULL)"], rows);
}

async function takeovers(): Promise<string> {
  const rows: string[][] = [];
  for (const end of ENDS) {
    const all: Awaited<ReturnType<typeof takeOver>>[] = [];
    for (let n = 0; n < 3; n++) all.push(await takeOver(end));
    const seconds = (of: keyof (typeof all)[number]) => all.map((one) => (one[of] / 1_000).toFixed(1)).join(", ");
    rows.push([end, seconds("untilTakenOver"), seconds("untilGivenBack")]);
    console.error(rows.at(-1)?.join(" | "));
  }
  const [ttl, renew, ask] = [TTL_MS, RENEW_MS, ASK_MS].map((ms) => `${ms / 1_000} s`);
  const how = `a lease of ${ttl}, renewed every ${renew}, asked for every ${ask}`;
  const header = [
    "the sidecar beside the gateway is",
    `another one owns the account after, s (${how})`,
    "when it is back, it owns it again after, s",
  ];
  return table(header, rows);
}

async function moves(): Promise<string> {
  const { there, back, embeddedMb } = await measureMoves(MOVED);
  const line = (way: string, cost: MoveCost, readMb: number) => [
    ...[way, cost.rows.toLocaleString("en"), cost.seconds.toFixed(0), cost.rssMb.toFixed(0)],
    ...[readMb.toFixed(0), cost.writtenMb.toFixed(0)],
  ];
  const header = [`${MOVED.toLocaleString("en")} messages, each with a reply`, "rows", "s", "memory, MB"];
  return `${machine()}.\n\n${table(
    [...header, "read from, MB", "written to, MB"],
    [line("to PostgreSQL", there, embeddedMb), line("back", back, there.writtenMb)],
  )}`;
}

async function simulated(): Promise<string> {
  return simulation(FLEETS);
}

function table(header: readonly string[], lines: readonly string[][]): string {
  return [header, header.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Prints a table; with --write it is put into docs/fleet.md, between its marks. */
function put(name: string, text: string): void {
  console.log(`\n${text}`);
  if (!options.write) return;
  const [begin, end] = [`<!-- fleet: ${name} -->`, `<!-- end: ${name} -->`];
  const doc = readFileSync(DOC, "utf8");
  const [from, to] = [doc.indexOf(begin), doc.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/fleet.md has no ${begin}`);
  const command = "`npm run bench:fleet -- --write`:";
  writeFileSync(DOC, `${doc.slice(0, from + begin.length)}\n\n${command}\n\n${text}\n\n${doc.slice(to)}`);
}
