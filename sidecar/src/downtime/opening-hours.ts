const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const PATTERN =
  /^(?:(?<first>[A-Z][a-z]{2})(?:-(?<last>[A-Z][a-z]{2}))? )?(?<from>\d{1,2}(?::\d\d)?)-(?<to>\d{1,2}(?::\d\d)?)$/;

/** When customers are expected to write, in the machine's local time. */
export interface OpeningHours {
  /** As it was written, for people. */
  text: string;
  /** Days of the week, 0 for Sunday. */
  days: ReadonlySet<number>;
  /** Minutes after midnight; `to` is at most 24 hours, and after `from`. */
  from: number;
  to: number;
}

/** Reads `9-18`, `Mon-Sat 9:30-18` or `Sun 10-12`; undefined where it is nothing of the kind. A week may begin on any day: `Sun-Thu`. */
export function readOpeningHours(text: string): OpeningHours | undefined {
  const { first, last, from, to } = PATTERN.exec(text)?.groups ?? {};
  const days = first === undefined ? new Set(DAYS.keys()) : daysBetween(first, last ?? first);
  const minutes = [from, to].map(minutesOf);
  const [begin = Number.NaN, end = Number.NaN] = minutes;
  if (days === undefined || !(begin < end && end <= 24 * 60)) return undefined;
  return { text, days, from: begin, to: end };
}

/** How much of the time between two instants (ms since 1970) is within the opening hours, ms. */
export function openMsBetween({ days, from, to }: OpeningHours, begin: number, end: number): number {
  let openMs = 0;
  const day = new Date(begin);
  day.setHours(0, 0, 0, 0);
  for (; day.getTime() < end; day.setDate(day.getDate() + 1)) {
    if (!days.has(day.getDay())) continue;
    // By the clock on the wall, also on the two days of the year that have more or less than 24 hours.
    const [opens, closes] = [from, to].map((minutes) => new Date(day).setHours(0, minutes));
    openMs += Math.max(0, Math.min(end, Number(closes)) - Math.max(begin, Number(opens)));
  }
  return openMs;
}

/** Whether an instant (ms since 1970) is within the opening hours. */
export function isOpenAt(hours: OpeningHours, at: number): boolean {
  return openMsBetween(hours, at, at + 1) > 0;
}

function daysBetween(first: string, last: string): ReadonlySet<number> | undefined {
  const [begin, end] = [DAYS.indexOf(first), DAYS.indexOf(last)];
  if (begin < 0 || end < 0) return undefined;
  const count = ((end - begin + 7) % 7) + 1;
  return new Set(Array.from({ length: count }, (_, n) => (begin + n) % 7));
}

function minutesOf(time: string | undefined): number {
  const [hours = Number.NaN, minutes = 0] = (time ?? "").split(":").map(Number);
  return minutes < 60 ? hours * 60 + minutes : Number.NaN;
}
