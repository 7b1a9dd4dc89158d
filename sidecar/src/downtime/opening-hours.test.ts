import { expect, it, onTestFinished } from "vitest";
import { isOpenAt, type OpeningHours, openMsBetween, readOpeningHours } from "./opening-hours.ts";

const HOUR_MS = 3_600_000;

function hours(text: string): OpeningHours {
  const read = readOpeningHours(text);
  if (!read) throw new Error(`${text} can't be read`);
  return read;
}

/** Of the machine, whatever its time zone; 2 March 2026 is a Monday. */
const at = (day: number, hour: number, minute = 0) => new Date(2026, 2, day, hour, minute).getTime();

it.each([
  ["9-18", [0, 1, 2, 3, 4, 5, 6], 9 * 60, 18 * 60],
  ["0-24", [0, 1, 2, 3, 4, 5, 6], 0, 24 * 60],
  ["Mon-Sat 9:30-18:05", [1, 2, 3, 4, 5, 6], 9 * 60 + 30, 18 * 60 + 5],
  ["Sun-Thu 08-16", [0, 1, 2, 3, 4], 8 * 60, 16 * 60],
  ["Sat-Sun 10-12", [0, 6], 10 * 60, 12 * 60],
  ["Wed 10-12", [3], 10 * 60, 12 * 60],
])("reads %s", (text, days, from, to) => {
  const read = hours(text);
  expect([[...read.days].sort(), read.from, read.to, read.text]).toEqual([days, from, to, text]);
});

it.each(["", "9", "18-9", "9-9", "9-25", "9:60-18", "mon-fri 9-18", "Mon-Xyz 9-18", "Mon-Fri", "9-18 Mon", "9 - 18"])(
  "takes no %o",
  (text) => expect(readOpeningHours(text)).toBeUndefined(),
);

it.each([
  ["within one day", "9-18", at(2, 10), at(2, 12), 2],
  ["from before it opens to after it closes", "9-18", at(2, 3), at(2, 23), 9],
  ["over a night", "9-18", at(2, 17), at(3, 12), 4],
  ["over a closed Sunday", "Mon-Sat 9-18", at(7, 17), at(9, 10), 2],
  ["in a night", "9-18", at(2, 19), at(3, 8), 0],
  ["over a week", "Mon-Fri 9-18", at(2, 0), at(9, 0), 45],
  ["until midnight", "18-24", at(2, 23), at(3, 1), 1],
  ["backwards", "9-18", at(2, 12), at(2, 10), 0],
])("counts the open time %s", (_what, text, begin, end, expected) => {
  expect(openMsBetween(hours(text), begin, end)).toBe(expected * HOUR_MS);
});

it("knows whether it is open", () => {
  const open = [at(2, 8, 59), at(2, 9), at(2, 17, 59), at(2, 18), at(8, 12)].map((instant) =>
    isOpenAt(hours("Mon-Sat 9-18"), instant),
  );
  expect(open).toEqual([false, true, true, false, false]);
});

it("goes by the clock on the wall on the days on which that changes", () => {
  const { TZ } = process.env;
  onTestFinished(() => {
    if (TZ === undefined) delete process.env["TZ"];
    else process.env["TZ"] = TZ;
  });
  process.env["TZ"] = "Europe/Berlin";
  const day = (month: number, date: number) => new Date(2026, month, date).getTime();
  const openOn = (text: string, month: number, date: number) =>
    openMsBetween(hours(text), day(month, date), day(month, date + 1)) / HOUR_MS;
  expect([openOn("0-24", 2, 29), openOn("9-18", 2, 29)]).toEqual([23, 9]);
  expect([openOn("0-24", 9, 25), openOn("9-18", 9, 25)]).toEqual([25, 9]);
});
