import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { CONTENDERS, type Name } from "./contender.ts";
import type { Backlog, Flow } from "./flow.ts";

const DOC = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

/** What one contender took in one round; null: it was not measured in that one. */
export interface Figures {
  many: Flow;
  one: Flow;
  single: { post: number[]; send: number[] };
  waiting: Backlog | null;
  idle: { mb: number; cpuPercent: number } | null;
}

interface Sizes {
  rounds: number;
  chats: number;
  each: number;
  oneChat: number;
  singles: number;
  backlog: number;
}

/** A line of the table: of each contender the middle round, and the sidecar's share of each prototype's in the same round. */
interface Line {
  title: string;
  of(figures: Figures): number;
  digits?: number;
}

/** The tables, as Markdown. */
export function report(results: ReadonlyMap<Name, readonly Figures[]>, sizes: Sizes): string {
  const { chats, each, oneChat, singles, backlog, rounds } = sizes;
  const lines: Line[] = [
    { title: `${chats} chats x ${each}: messages/s, to the last reply`, of: ({ many }) => many.messagesPerSecond },
    { title: "accepted (acked)/s in the same run", of: ({ many }) => many.acceptedPerSecond },
    { title: "CPU of the process, us a message", of: ({ many }) => many.cpuUs },
    { title: "peak RSS, MB", of: ({ many }) => many.peakMb },
    { title: `one chat, ${oneChat} messages: messages/s`, of: ({ one }) => one.messagesPerSecond },
    { title: "CPU of the process, us a message, one chat", of: ({ one }) => one.cpuUs },
    {
      title: `one at a time (${singles}): link to POST, ms, p50`,
      of: ({ single }) => quantile(single.post, 0.5),
      digits: 1,
    },
    { title: "the same, p99", of: ({ single }) => quantile(single.post, 0.99), digits: 1 },
    { title: "link to `send`, ms, p50", of: ({ single }) => quantile(single.send, 0.5), digits: 1 },
    { title: "the same, p99", of: ({ single }) => quantile(single.send, 0.99), digits: 1 },
  ];
  const names = [...results.keys()];
  const prototypes = results.has("sidecar") ? names.filter((name) => name !== "sidecar") : [];
  const header = [
    "",
    ...names.map((name) => CONTENDERS[name]),
    ...prototypes.map((name) => `of the ${CONTENDERS[name]}`),
  ];
  const rows = lines.map((line) => [
    line.title,
    ...names.map((name) => shown(line, results.get(name))),
    ...prototypes.map((name) => ratio(line, results, name)),
  ]);
  const head = `${rounds} ${rounds === 1 ? "round" : "rounds, the middle one of each figure"}.`;
  return `${head}\n\n${table([header, ...rows])}\n${ofSidecar(results.get("sidecar")?.[0], chats * backlog)}`;
}

/** What only the sidecar was asked for. */
function ofSidecar(figures: Figures | undefined, waiting: number): string {
  if (!figures?.waiting || !figures.idle) return "";
  const { waiting: it, idle } = figures;
  const n = (value: number) => value.toFixed(0);
  return [
    "",
    `| ${waiting} waiting while Hot Bags is down | the sidecar |`,
    "| --- | --- |",
    `| taken in, messages/s | ${n(it.takenInPerSecond)} |`,
    `| RSS at the most, by then, MB | ${n(it.waitingMb)} |`,
    `| start with them, ms | ${n(it.startMs)} |`,
    `| drained, messages/s, to the last reply | ${n(it.drainedPerSecond)} |`,
    `| RSS at the most, of the process that drained them, MB | ${n(it.peakMb)} |`,
    `| idle, after a start: RSS, MB | ${n(idle.mb)} |`,
    `| idle, after a start: CPU, % | ${idle.cpuPercent.toFixed(2)} |`,
    "",
  ].join("\n");
}

function shown({ of, digits = 0 }: Line, rounds: readonly Figures[] = []): string {
  return median(rounds.map(of)).toFixed(digits);
}

function ratio({ of }: Line, results: ReadonlyMap<Name, readonly Figures[]>, prototype: Name): string {
  const theirs = results.get(prototype) ?? [];
  const ratios = (results.get("sidecar") ?? []).flatMap((ours, round) => {
    const their = theirs[round];
    return their ? [of(ours) / of(their)] : [];
  });
  return median(ratios).toFixed(2);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function machine(): string {
  return `${cpus().length} CPUs (${cpus()[0]?.model.trim()}), Linux ${release().split("-")[0]}, Node ${process.version}`;
}

/** Rows of cells, the first of them the header, as Markdown. */
export function table(rows: readonly (readonly string[])[]): string {
  const [header = [], ...others] = rows;
  return [header, header.map(() => "---"), ...others].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The places for tables in docs/performance.md. */
export type Place = "ways" | "scale" | "queues" | "disk" | "hops" | "loss" | "memory" | "growth" | "rounds" | "soak";

/** Puts the tables in their place in docs/performance.md: between two comments with this name. `script` made them, with these arguments. */
export function writeReport(name: Place, text: string, script: string, args: readonly string[]): void {
  const doc = readFileSync(DOC, "utf8");
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- end: ${name} -->`];
  const [before, rest] = [doc.split(begin)[0], doc.split(end)[1]];
  if (before === undefined || rest === undefined) throw new Error(`there is no place for the tables in ${DOC}`);
  const command = `npm run ${script} -- ${args.join(" ")}`;
  writeFileSync(DOC, `${before}${begin}\n\n\`${command}\`: ${text}\n${end}${rest}`);
}

/** Puts a picture beside docs/performance.md, which shows it. */
export function writeChart(name: string, svg: string): void {
  writeFileSync(new URL(`../../docs/${name}.svg`, import.meta.url), svg);
}
