import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const GUARANTEES = "../../docs/guarantees.md";

/** A column of the tables of failpoints: on which room of the store this was seen. */
export type RoomName = "SQLite" | "PostgreSQL";

/** What a room has not been tried at: the gateway's own process knows nothing of the sidecar's store. */
const NOT_TRIED = "not tried";

/** What was observed at one failpoint. */
export interface Row {
  point: string;
  /** What had been done when the process was killed. */
  meaning: string;
  /** Such as "exactly once, 1 POST". */
  outcome: string;
}

/** Of a customer's message. `ordered`: how many replies are in its answer; 1 where that is not said. */
export function outcomeOfMessage(seen: { posts: number; accepted: number; replies: number; ordered?: number }): string {
  return `${promiseKept(seen)}; ${counted(seen.posts, "POST")}`;
}

/** Of a command of the outbox; `given`: how often Hot Bags gave it. */
export function outcomeOfCommand({ given, replies }: { given: number; replies: number }): string {
  const kept = replies === 1 ? "exactly once" : replies === 0 ? "in doubt" : `BROKEN: ${replies} texts on the phone`;
  return `${kept}; given ${given === 1 ? "once" : `${given} times`}`;
}

/**
 * Fails where docs/guarantees.md has another column of this room in the table that begins with this row's failpoint. `-u`
 * writes it.
 */
export async function expectInGuarantees(room: RoomName, rows: readonly Row[]): Promise<void> {
  const page = readFileSync(fileURLToPath(new URL(GUARANTEES, import.meta.url)), "utf8");
  await expect(withColumn(page, room, rows)).toMatchFileSnapshot(GUARANTEES);
}

/** The page with what was observed in this room, in place of what its table says of it. @throws Error where there is none. */
function withColumn(page: string, room: RoomName, rows: readonly Row[]): string {
  const lines = page.split("\n");
  const begin = lines.findIndex((line) => cellsOf(line)[0] === `\`${rows[0]?.point}\``);
  if (begin < 2) throw new Error(`docs/guarantees.md has no table that begins with ${rows[0]?.point}`);
  const length = lines.slice(begin).findIndex((line) => !line.startsWith("|"));
  const column = cellsOf(lines[begin - 2] ?? "").indexOf(`on ${room}`);
  if (column === -1) throw new Error(`its head has no column "on ${room}"`);
  const width = cellsOf(lines[begin - 2] ?? "").length;
  const written = new Map(lines.slice(begin, begin + length).map((line) => [cellsOf(line)[0], cellsOf(line)]));
  for (const cells of written.values()) cells[column] = NOT_TRIED;
  for (const { point, meaning, outcome } of rows) {
    const cells = written.get(`\`${point}\``) ?? Array.from({ length: width }, () => NOT_TRIED);
    [cells[0], cells[1], cells[column]] = [`\`${point}\``, meaning, outcome];
    written.set(`\`${point}\``, cells);
  }
  const drawn = [...written.values()]
    // What no room knows any more.
    .filter((cells) => cells.slice(2).some((cell) => cell !== NOT_TRIED))
    .map((cells) => `| ${cells.join(" | ")} |`);
  return lines.toSpliced(begin, length, ...drawn).join("\n");
}

function cellsOf(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function promiseKept({
  accepted,
  replies,
  ordered = 1,
}: {
  accepted: number;
  replies: number;
  ordered?: number;
}): string {
  if (accepted === 1 && replies === ordered) return "exactly once";
  if (accepted === 1 && replies === 0) return "reply in doubt";
  return `BROKEN: ${counted(accepted, "message")} at Hot Bags, ${counted(replies, "reply")} on the phone`;
}

function counted(n: number, what: string): string {
  return n === 1 ? `1 ${what}` : `${n} ${what === "reply" ? "replies" : `${what}s`}`;
}
