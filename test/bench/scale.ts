import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

/** The store alone with so many messages waiting, as Markdown. */
export async function scaleTable(counts: readonly number[], say: (line: string) => void): Promise<string> {
  const scales: Scale[] = [];
  for (const count of counts) {
    say(`a store with ${count} messages waiting`);
    const folder = mkdtempSync(join(tmpdir(), "hotbags-bench-"));
    try {
      await once(fork(CHILD, [folder, "fill", String(count)]), "exit");
      const [scale] = await once(fork(CHILD, [folder, "measure"]), "message");
      scales.push(scale);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  const shown = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  const header = ["messages waiting", ...counts.map((count) => count.toLocaleString("en"))];
  const rows = LINES.map(([key, title]) => [title, ...scales.map((scale) => shown(scale[key]))]);
  return `\n\n${table([header, ...rows])}\n`;
}
