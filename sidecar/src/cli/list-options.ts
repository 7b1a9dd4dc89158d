import { MAX_LIMIT } from "../operator/schemas.ts";
import { DAMAGED, RESTORE } from "../store/index.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { count, type Output, say } from "./output.ts";

/** What is wanted of a list. */
export interface ListOptions {
  state?: string | undefined;
  chat?: string | undefined;
  since?: string | undefined;
  limit: number;
}

/** As the API takes it. Throws CliError. */
export function filterOf({ state, chat, since }: ListOptions) {
  return { state, chat, since: since === undefined ? undefined : readSince(since, Date.now()) };
}

/** What was found. `unreadable`: the numbers of what stands there too, on damaged pages of the database. */
export interface Found<Row> {
  rows: Row[];
  unreadable: number[];
}

/** All rows of a list, page by page, up to this many. `read` gets what the page begins before. */
export async function collect<Row>(
  limit: number,
  read: (page: { limit: string; before?: string }) => Promise<Found<Row> & { next: number | null }>,
): Promise<Found<Row>> {
  const rows: Row[] = [];
  const unreadable: number[] = [];
  let before: number | null = null;
  do {
    const wanted = String(Math.min(limit - rows.length, MAX_LIMIT));
    const page = await read(before === null ? { limit: wanted } : { limit: wanted, before: String(before) });
    rows.push(...page.rows);
    unreadable.push(...page.unreadable);
    before = page.next;
  } while (before !== null && rows.length < limit);
  return { rows, unreadable };
}

/** More numbers than this help nobody. */
const NAMED = 10;

/** Says what is missing in a list. Returns whether anything is. */
export function sayUnreadable({ unreadable }: Found<unknown>, thing: string, output: Output): boolean {
  if (unreadable.length === 0) return false;
  const named = unreadable.slice(0, NAMED).join(", ");
  const which = `${thing} ${named}${unreadable.length > NAMED ? ", …" : ""}`;
  say(
    output,
    `${count(unreadable.length, thing)} can't be read and may belong here, for ${DAMAGED} (${which}): hotbags doctor says more. ${RESTORE}`,
  );
  return true;
}

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `2h`, `30m`, `7d` ago, or a time such as 2026-03-01T08:00: as an ISO time. Throws CliError. */
export function readSince(text: string, now: number): string {
  const ago = durationIn(text);
  const isTime = /^\d{4}-\d\d-\d\d/.test(text);
  // A date alone would be one of UTC, unlike all other times here.
  const isDate = text.length === "2026-03-01".length;
  const at = ago === null ? Date.parse(isTime ? `${text}${isDate ? "T00:00" : ""}` : "") : now - ago;
  if (Number.isNaN(at))
    throw new CliError(EXIT.usage, `${JSON.stringify(text)} is no time: write 2h, 30m, 7d, or 2026-03-01T08:00`);
  return new Date(at).toISOString();
}

/** `30m`, `2h`, `7d`, in ms. Throws CliError. */
export function readDuration(text: string): number {
  const ms = durationIn(text);
  if (ms === null) throw new CliError(EXIT.usage, `${JSON.stringify(text)} is no time: write 30m, 2h or 7d`);
  return ms;
}

function durationIn(text: string): number | null {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0) : null;
}
