import { expect, it } from "vitest";
import { durationInWords, instantInWords, spanInWords } from "./local-time.ts";

const at = (iso: string) => Date.parse(iso);

it.each([
  [
    "one day",
    "Europe/Berlin",
    "2026-03-03T01:11:09Z",
    "2026-03-03T01:24:40Z",
    "between Tue 3 Mar 2026 02:11:09 and 02:24:40 CET (13 min 31 s)",
  ],
  [
    "over midnight",
    "Europe/Berlin",
    "2026-03-03T22:50:00Z",
    "2026-03-04T00:10:00Z",
    "between Tue 3 Mar 2026 23:50:00 CET and Wed 4 Mar 2026 01:10:00 CET (1 h 20 min)",
  ],
  [
    "several days",
    "America/New_York",
    "2026-12-30T12:00:00Z",
    "2027-01-02T13:00:01Z",
    "between Wed 30 Dec 2026 07:00:00 EST and Sat 2 Jan 2027 08:00:01 EST (3 d 1 h 1 s)",
  ],
  [
    "the clocks go forward",
    "Europe/Berlin",
    "2026-03-29T00:30:00Z",
    "2026-03-29T01:30:00Z",
    "between Sun 29 Mar 2026 01:30:00 CET and Sun 29 Mar 2026 03:30:00 CEST (1 h)",
  ],
  [
    "the clocks go back: the same reading twice",
    "Europe/Berlin",
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00Z",
    "between Sun 25 Oct 2026 02:30:00 CEST and Sun 25 Oct 2026 02:30:00 CET (1 h)",
  ],
  [
    "a zone without a short name",
    "Asia/Kolkata",
    "2026-03-03T01:11:09Z",
    "2026-03-03T01:24:40Z",
    "between Tue 3 Mar 2026 06:41:09 and 06:54:40 GMT+5:30 (13 min 31 s)",
  ],
  [
    "UTC",
    "UTC",
    "2026-03-03T00:00:00Z",
    "2026-03-03T00:00:05Z",
    "between Tue 3 Mar 2026 00:00:00 and 00:00:05 UTC (5 s)",
  ],
  [
    "outward to whole seconds",
    "UTC",
    "2026-03-03T00:00:01.900Z",
    "2026-03-03T00:00:03.100Z",
    "between Tue 3 Mar 2026 00:00:01 and 00:00:04 UTC (3 s)",
  ],
])("%s", (_what, zone, from, to, expected) => {
  expect(spanInWords(at(from), at(to), zone)).toBe(expected);
});

it("says an instant with its day and zone", () => {
  expect(instantInWords(at("2026-07-01T22:00:00Z"), "Europe/Berlin")).toBe("Thu 2 Jul 2026 00:00:00 CEST");
});

it("takes the machine's zone unless told otherwise", () => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  expect(instantInWords(0)).toBe(instantInWords(0, zone));
});

it("leaves out of a duration what is nothing", () => {
  expect([0, 400, 59_600, 3_600_000, 90_061_000].map(durationInWords)).toEqual([
    "0 s",
    "0 s",
    "1 min",
    "1 h",
    "1 d 1 h 1 min 1 s",
  ]);
});
