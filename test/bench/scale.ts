import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawCharts } from "./chart.ts";
import { table } from "./report.ts";

const CHILD = fileURLToPath(new URL("./scale.child.ts", import.meta.url));

/** What a store takes with so many messages waiting; CPU times a message, us. */
export interface Scale {
  /** Until it is open and knows the lanes, and the memory for that. */
  startMs: number;
  memoryMb: number;
  accept: number;
  /** The next one of a lane. */
  head: number;
  deliver: number;
  /** A reply: read, `sending`, sent. */
  reply: number;
  /** Retention, of text and key. */
  forget: number;
}

const LINES: [keyof Scale, string][] = [
  ["startMs", "start: open, and all lanes known, ms"],
  ["memoryMb", "memory for that, MB"],
  ["head", "the next message of a chat, us"],
  ["accept", "take a message in, us"],
  ["deliver", "write it down as delivered, with its reply, us"],
  ["reply", "take the reply, `sending`, sent, us"],
  ["forget", "forget a message that is old, us"],
];

/** What the list of chats takes with so many of them, ms: a page of 50, with what waits of each. */
export interface ListScale {
  firstMs: number;
  nextMs: number;
  /** A page from half way down. */
  middleMs: number;
  /** A chat by its number. */
  searchMs: number;
  /** Fifty chats while one of them has written the last 5,000 messages: several pages. */
  behindOneMs: number;
}

const LIST_LINES: [keyof ListScale, string][] = [
  ["firstMs", "the first page, ms"],
  ["nextMs", "the next page, ms"],
  ["middleMs", "a page from half way down, ms"],
  ["searchMs", "a chat by its number, ms"],
  ["behindOneMs", "the first 50 chats where one has written the last 5,000 messages, ms"],
];

/** What one chat takes with so many messages waiting; CPU times a message, us. */
export type OneChatScale = Pick<Scale, "startMs" | "head" | "accept" | "deliver" | "reply">;

interface Sizes {
  /** Messages that wait, of many chats. */
  waiting: readonly number[];
  /** Chats in the list. */
  chats: readonly number[];
  /** Messages that wait, of one chat. */
  inOneChat: readonly number[];
}

const shown = (value: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
const counted = (count: number) => count.toLocaleString("en");

/** The store alone with so much in it, as Markdown, and as charts of the same figures. */
export async function scaleTable(sizes: Sizes, say: (line: string) => void): Promise<{ text: string; chart: string }> {
  const each = async <Figures>(sharing: string, counts: readonly number[]) => {
    const all: Figures[] = [];
    for (const count of counts) {
      say(`${sharing}: a store with ${count} messages waiting`);
      all.push(await measured<Figures>(sharing, count));
    }
    return all;
  };
  const scales = await each<Scale>("alike", sizes.waiting);
  const lists = await each<ListScale>("list", sizes.chats);
  const ones = await each<OneChatScale>("one", sizes.inOneChat);
  const oneLines = LINES.filter(([key]) => key in (ones[0] ?? {})) as [keyof OneChatScale, string][];
  const tables = [
    tableOf("messages waiting", sizes.waiting, scales, LINES),
    tableOf("chats in the list", sizes.chats, lists, LIST_LINES),
    tableOf("messages waiting, all of one chat", sizes.inOneChat, ones, oneLines),
  ];
  const lines = (of: readonly [keyof Scale, string][]) =>
    of.map(([key, name]) => ({ name, points: scales.map((scale, n) => at(sizes.waiting[n], scale[key])) }));
  const chart = drawCharts([
    { title: "Work on one message", x: "messages waiting", y: "CPU time, µs", lines: lines(CHARTED) },
    {
      title: "The list of chats",
      x: "chats",
      y: "time for a page of 50, ms",
      lines: LIST_CHARTED.map(([key, name]) => ({
        name,
        points: lists.map((list, n) => at(sizes.chats[n], list[key])),
      })),
    },
  ]);
  return { text: `\n\n${tables.join("\n\n")}\n`, chart };
}

const at = (x: number | undefined, y: number) => ({ x: x ?? Number.NaN, y });

const CHARTED: [keyof Scale, string][] = [
  ["deliver", "delivered"],
  ["forget", "forget"],
  ["accept", "take in"],
  ["reply", "reply, sent"],
  ["head", "the next of a chat"],
];
const LIST_CHARTED: [keyof ListScale, string][] = [
  ["firstMs", "first page"],
  ["nextMs", "next page"],
  ["searchMs", "by number"],
];

function tableOf<Figures>(
  what: string,
  counts: readonly number[],
  figures: readonly Figures[],
  lines: readonly [keyof Figures, string][],
): string {
  const rows = lines.map(([key, title]) => [title, ...figures.map((of) => shown(Number(of[key])))]);
  return table([[what, ...counts.map(counted)], ...rows]);
}

/** In processes of its own, on a store of its own. */
async function measured<Figures>(sharing: string, count: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "hotbags-bench-"));
  try {
    await once(fork(CHILD, [folder, "fill", sharing, String(count)]), "exit");
    const [figures] = await once(fork(CHILD, [folder, "measure", sharing, String(count)]), "message");
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
