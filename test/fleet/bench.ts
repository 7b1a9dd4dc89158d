import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine } from "../bench/report.ts";
import { bytesOf, type Cost, ENGINES, measure, type Run, search } from "./cost.ts";
import { type MoveCost, measureMoves } from "./moves.ts";
import { FLEETS, simulation } from "./simulate.ts";
import { ASK_MS, ENDS, RENEW_MS, TTL_MS, takeOver } from "./take-over.ts";

// What a message costs a PostgreSQL, by what the queue is: `npm run bench:fleet`.

const DOC = fileURLToPath(new URL("../../docs/fleet.md", import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
const MESSAGES = options.quick ? 640 : 6_400;
const MOVED = options.quick ? 20_000 : 1_000_000;
const WAITING = options.quick ? [1_000, 10_000] : [1_000, 100_000, 300_000];

const RUNS: Run[] = [
  { engine: "own", processes: 1, batch: 1 },
  { engine: "claims", processes: 1, batch: 1 },
  { engine: "pg-boss", processes: 1, batch: 1 },
  { engine: "own", processes: 1, batch: 32 },
  { engine: "claims", processes: 1, batch: 32 },
  { engine: "pg-boss", processes: 1, batch: 32 },
  { engine: "own", processes: 2, batch: 32 },
  { engine: "own", processes: 4, batch: 32 },
  { engine: "pg-boss", processes: 2, batch: 32 },
  { engine: "pg-boss", processes: 4, batch: 32 },
  { engine: "own", processes: 4, batch: 32, pooled: 4 },
  { engine: "pg-boss", processes: 4, batch: 32, pooled: 4 },
];

const LINES: [string, (run: Run, cost: Cost) => string][] = [
  ["queue", ({ engine }) => ENGINES[engine]],
  ["processes", ({ processes, pooled }) => `${processes}${pooled ? `, pooler of ${pooled}` : ""}`],
  ["messages a transaction", ({ batch }) => String(batch)],
  ["writing transactions", (_, { writes }) => writes.toFixed(2)],
  ["all transactions", (_, { transactions }) => transactions.toFixed(1)],
  ["WAL, bytes", (_, { walBytes }) => walBytes.toFixed(0)],
  ["CPU of the server, us", (_, { serverCpuUs }) => serverCpuUs.toFixed(0)],
  ["CPU of the sidecar's driver, us", (_, { clientCpuUs }) => clientCpuUs.toFixed(0)],
  ["messages/s", (_, { perSecond }) => perSecond.toFixed(0)],
  ["connections", (_, { connections }) => String(connections)],
];

/** Each part of docs/fleet.md; with arguments, only these. */
const PARTS = { costs, search: searches, bytes, takeovers, moves, simulation: simulated };
for (const [name, part] of Object.entries(PARTS))
  if (positionals.length === 0 || positionals.includes(name)) put(name, await part());

async function costs(): Promise<string> {
  const rows: string[][] = [];
  for (const run of RUNS) {
    const messages = run.batch === 1 ? MESSAGES / 16 : MESSAGES;
    const cost = await measure(run, Math.ceil(messages / run.batch / run.processes) * run.batch);
    rows.push(LINES.map(([, shown]) => shown(run, cost)));
    console.error(rows.at(-1)?.join(" | "));
  }
  const header = LINES.map(([title]) => title);
  return `${machine()}.\n\n${table(header, rows)}`;
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
  const { text, key } = await bytesOf(MESSAGES);
  const rows = [
    ["its request and answer", text.toFixed(0)],
    ["its row, its chat's and its command's", key.toFixed(0)],
  ];
  return table(["of a delivered message with one reply", "bytes, with indexes"], rows);
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
