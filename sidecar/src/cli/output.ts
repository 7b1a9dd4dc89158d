import { styleText } from "node:util";

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
  /** Where the window is too narrow, columns that can be spared go: the one with the lowest number first. */
  spare?: number;
}

const GAP = "  ";

/** As much of the last column is in view, if there is so much of it. */
const LAST_WIDTH = 16;

/**
 * Writes a table. On a terminal that is too narrow for it, columns that can be spared are left out, which it says, and
 * the last one is cut.
 */
export function writeTable<Row>(output: Output, wanted: Column<Row>[], rows: Row[]): void {
  const { out } = output;
  const columns = out.isTTY ? fitting(wanted, rows, out.columns) : wanted;
  const spared = wanted.filter((column) => !columns.includes(column)).map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ cell }) => plain(String(cell(row) ?? ""))));
  const widths = columns.map(({ title }, n) => Math.max(title.length, ...cells.map((row) => row[n]?.length ?? 0)));
  const draw = (row: string[]) =>
    fit(
      row
        .map((text, n) => text.padEnd(widths[n] ?? 0))
        .join(GAP)
        .trimEnd(),
      out,
    );
  out.write(`${bold(draw(columns.map(({ title }) => title)), out)}\n`);
  for (const row of cells) out.write(`${draw(row)}\n`);
  if (spared.length > 0) say(output, `Not shown, for the window is narrow: ${spared.join(", ")}.`);
}

/** The columns that a window of this width has room for. */
function fitting<Row>(wanted: Column<Row>[], rows: Row[], width: number): Column<Row>[] {
  const widthOf = ({ title, cell }: Column<Row>) =>
    Math.max(title.length, ...rows.map((row) => String(cell(row) ?? "").length));
  const columns = wanted.map((column, n) => {
    const full = widthOf(column);
    return { column, width: GAP.length + (n === wanted.length - 1 ? Math.min(full, LAST_WIDTH) : full) };
  });
  let total = columns.reduce((sum, { width: one }) => sum + one, -GAP.length);
  const left = new Set(columns);
  const bySpare = columns.filter(({ column }) => column.spare !== undefined);
  for (const one of bySpare.sort((a, b) => (a.column.spare ?? 0) - (b.column.spare ?? 0))) {
    if (total <= width) break;
    left.delete(one);
    total -= one.width;
  }
  return wanted.filter((column) => [...left].some((one) => one.column === column));
}

/** Lines of a name and what is to be said of it. */
export function writeFacts({ out }: Output, facts: [string, Cell][]): void {
  const width = Math.max(...facts.map(([name]) => name.length));
  for (const [name, fact] of facts)
    if (fact !== null) out.write(`${bold(name.padEnd(width), out)}  ${plain(String(fact))}\n`);
}

export function writeJson({ out }: Output, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Beside the answer: what a script does not read. */
export function say({ err }: Output, text: string): void {
  err.write(`${text}\n`);
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

/** `1 message`, `3 messages`. */
export function count(number: number, thing: string, things = `${thing}s`): string {
  return `${number} ${number === 1 ? thing : things}`;
}

/** Nothing that a customer or Hot Bags wrote moves the terminal's cursor, changes its colours or looks like another line. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function fit(line: string, out: NodeJS.WriteStream): string {
  const width = out.isTTY ? out.columns : undefined;
  return width !== undefined && line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
