import { styleText } from "node:util";
import wrapAnsi from "wrap-ansi";

export { count } from "@hotbags/shared";

/** Where a command writes, and how. */
export interface Output {
  /** Answers as JSON, for scripts. */
  json: boolean;
  out: NodeJS.WriteStream;
  err: NodeJS.WriteStream;
}

export type Cell = string | number | null;

/** One column of a table. */
export interface Column<Row> {
  title: string;
  cell(row: Row): Cell;
  /** Where the terminal is too narrow, columns that can be spared go: the one with the lowest number first. */
  spare?: number;
}

const GAP = "  ";

/** The last column is broken into lines of so many characters at least, if there are so many. */
const LAST_WIDTH = 20;

/**
 * Writes a table. On a terminal that is too narrow for it, columns with nothing in them go, then those that can be spared,
 * which it says, and the last one is broken into lines; where that does not do either, each row is a block of its own.
 */
export function writeTable<Row>(output: Output, wanted: Column<Row>[], rows: Row[]): void {
  const { out } = output;
  const width = widthOf(out);
  const columns = fitting(wanted, rows, width);
  if (columns === null) return writeBlocks(output, wanted, rows);
  const cells = rows.map((row) => columns.map((column) => shownCell(column, row)));
  const widths = columns.map(({ title }, n) => Math.max(title.length, ...cells.map((row) => row[n]?.length ?? 0)));
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + GAP.length, 0);
  const draw = (row: string[]) => {
    const head = row.slice(0, -1).map((text, n) => text.padEnd(widths[n] ?? 0) + GAP);
    return `${head.join("")}${broken(row.at(-1) ?? "", width - before, before, { hard: true })}`.trimEnd();
  };
  out.write(`${bold(draw(columns.map(({ title }) => title)), out)}\n`);
  for (const row of cells) out.write(`${draw(row)}\n`);
  const spared = wanted
    .filter((column) => !columns.includes(column) && !isEmpty(column, rows))
    .map(({ title }) => title);
  if (spared.length > 0) say(output, `Not shown, for the window is narrow: ${spared.join(", ")}.`);
}

/** The columns that a window of this width has room for. Null: for fewer than what can't be spared. */
function fitting<Row>(wanted: Column<Row>[], rows: Row[], width: number): Column<Row>[] | null {
  const widthOfColumn = (column: Column<Row>) =>
    Math.max(column.title.length, ...rows.map((row) => shownCell(column, row).length));
  const measure = (some: Column<Row>[]) =>
    some.map((column, n) => {
      const full = widthOfColumn(column);
      return { column, width: GAP.length + (n === some.length - 1 ? Math.min(full, LAST_WIDTH) : full) };
    });
  const totalOf = (some: { width: number }[]) => some.reduce((sum, { width: one }) => sum + one, -GAP.length);
  let columns = measure(wanted);
  if (totalOf(columns) > width) columns = measure(wanted.filter((column) => !isEmpty(column, rows)));
  let total = totalOf(columns);
  const left = new Set(columns);
  const bySpare = columns.filter(({ column }) => column.spare !== undefined);
  for (const one of bySpare.sort((a, b) => (a.column.spare ?? 0) - (b.column.spare ?? 0))) {
    if (total <= width) break;
    left.delete(one);
    total -= one.width;
  }
  if (total > width) return null;
  return wanted.filter((column) => [...left].some((one) => one.column === column));
}

function isEmpty<Row>(column: Column<Row>, rows: Row[]): boolean {
  return rows.every((row) => shownCell(column, row) === "");
}

/** The first cell of each row, and under it the others that have something in them. */
function writeBlocks<Row>({ out }: Output, [first, ...others]: Column<Row>[], rows: Row[]): void {
  const indent = GAP.length + Math.max(...others.map(({ title }) => title.length)) + GAP.length;
  for (const row of rows) {
    if (first) out.write(`${bold(shownCell(first, row), out)}\n`);
    for (const column of others) {
      const cell = shownCell(column, row);
      const name = `${GAP}${column.title}`.padEnd(indent);
      if (cell !== "") out.write(`${name}${broken(cell, widthOf(out) - indent, indent)}\n`);
    }
  }
}

function shownCell<Row>({ cell }: Column<Row>, row: Row): string {
  return plain(String(cell(row) ?? ""));
}

/** Lines of a name and what is to be said of it. */
export function writeFacts({ out }: Output, facts: [string, Cell][]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, fact] of facts)
    if (fact !== null)
      out.write(`${bold(name.padEnd(width), out)}${GAP}${wrap(plain(String(fact)), out, width + GAP.length)}\n`);
}

export function writeJson({ out }: Output, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Beside the answer: what a script does not read. */
export function say({ err }: Output, text: string): void {
  err.write(`${wrap(text, err)}\n`);
}

/** Sentences of the answer. */
export function writeText({ out }: Output, text: string): void {
  out.write(`${wrap(text, out)}\n`);
}

/**
 * Breaks lines between words where a terminal ends; a pipe gets them as they are. What belongs to a line is indented
 * like it, behind the dash of a list too. `indent`: so many columns stand before the first line already.
 */
export function wrap(text: string, stream: NodeJS.WriteStream, indent = 0): string {
  const lines = text.split("\n").map((line) => {
    const lead = /^ *(- |-> )?/.exec(line)?.[0] ?? "";
    const before = indent + lead.length;
    return lead + broken(line.slice(lead.length), widthOf(stream) - before, before);
  });
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** Narrower than this, lines are left to the terminal: nobody can read one word below the other. */
const LEAST_WIDTH = 16;

/** `hard`: also words that are longer than a line; else they stay whole, to be copied. */
function broken(text: string, width: number, indent: number, { hard = false } = {}): string {
  if (width === Number.POSITIVE_INFINITY || width < LEAST_WIDTH) return text;
  return wrapAnsi(text, width, { hard }).replaceAll("\n", `\n${" ".repeat(indent)}`);
}

/** In columns. Not everything that is a terminal knows how wide it is: then it is 0. */
function widthOf(stream: NodeJS.WriteStream): number {
  return (stream.isTTY && stream.columns) || Number.POSITIVE_INFINITY;
}

function bold(text: string, stream: NodeJS.WriteStream): string {
  return styleText("bold", text, { stream });
}

export function red(text: string, stream: NodeJS.WriteStream): string {
  return styleText("red", text, { stream });
}

export function yellow(text: string, stream: NodeJS.WriteStream): string {
  return styleText("yellow", text, { stream });
}

export function green(text: string, stream: NodeJS.WriteStream): string {
  return styleText("green", text, { stream });
}

/** A number or id for people. Of a customer who was forgotten it is a long key, which tells them nothing. */
export function shownKey(key: string | null): string | null {
  return key !== null && /^forgotten:[0-9a-f]{64}(:|$)/.test(key) ? "forgotten" : key;
}

/** The local time, to the second. */
export function shortTime(at: string | null): string {
  return at === null ? "" : new Date(at).toLocaleString("sv-SE");
}

/** `1 h 5 min`: the two largest units. */
export function duration(ms: number): string {
  const units: [string, number][] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1_000],
  ];
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.length === 0 ? `${Math.round(ms)} ms` : parts.slice(0, 2).join(" ");
}

/** Nothing that a customer or Hot Bags wrote moves the terminal's cursor, changes its colours or looks like another line. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
