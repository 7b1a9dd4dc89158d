const LOCALES = ["en-GB", "en-US"];

interface Parts {
  day: string;
  time: string;
  zone: string;
}

/**
 * A span of time as a human reads it: "between Tue 3 Mar 2026 02:11:09 and 02:24:40 CET (13 min 31 s)". Outward to whole seconds. The
 * day and the zone are said twice where they differ, as over midnight or a change of the clocks. `timeZone` is an IANA name; by default the machine's.
 */
export function spanInWords(from: number, to: number, timeZone?: string): string {
  const [first, last] = [Math.floor(from / 1000) * 1000, Math.ceil(to / 1000) * 1000];
  const [a, b] = [partsOf(first, timeZone), partsOf(last, timeZone)];
  const length = durationInWords(last - first);
  if (a.day === b.day && a.zone === b.zone) return `between ${a.day} ${a.time} and ${b.time} ${b.zone} (${length})`;
  return `between ${a.day} ${a.time} ${a.zone} and ${b.day} ${b.time} ${b.zone} (${length})`;
}

/** "Tue 3 Mar 2026 02:24:40 CET". */
export function instantInWords(at: number, timeZone?: string): string {
  const { day, time, zone } = partsOf(at, timeZone);
  return `${day} ${time} ${zone}`;
}

/** "2 d 3 h 4 min 5 s"; what is 0 is left out. */
export function durationInWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const said = units.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return said.length === 0 ? "0 s" : said.join(" ");
}

function partsOf(at: number, timeZone: string | undefined): Parts {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const { weekday, day, month, year, hour, minute, second } = parts;
  return {
    day: `${weekday} ${day} ${month} ${year}`,
    time: `${hour}:${minute}:${second}`,
    zone: zoneOf(at, timeZone),
  };
}

/** "CET", "EST"; each locale knows the short names of its own part of the world only, and says "GMT+3" for the others. */
function zoneOf(at: number, timeZone: string | undefined): string {
  const names = LOCALES.map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: "short" }).formatToParts(at);
    return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  });
  return names.find((name) => !/^GMT[+-]/.test(name)) ?? names[0] ?? "";
}
