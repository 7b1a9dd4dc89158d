import { computed } from "@preact/signals";
import { type Language, language } from "../state/preferences.ts";
import { de } from "./de.ts";
import { en, type Texts } from "./en.ts";

export const LANGUAGES: Record<Language, { texts: Texts; name: string; locale: string }> = {
  en: { texts: en, name: "English", locale: "en-GB" },
  de: { texts: de, name: "Deutsch", locale: "de-DE" },
};

/** What the page says, in the language that is chosen. */
export const texts = computed(() => LANGUAGES[language.value].texts);

const locale = () => LANGUAGES[language.value].locale;

/** "29 Nov, 14:03:20"; of today without the day. */
export function showTime(at: string | number): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(locale(), {
    ...(isToday ? {} : { day: "numeric", month: "short" }),
    ...(date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }),
    ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
  }).format(date);
}

/** For an axis: a day, or a time of it. */
export function showMoment(at: number, isDay: boolean): string {
  const parts = isDay
    ? ({ day: "numeric", month: "short" } as const)
    : ({ hour: "2-digit", minute: "2-digit" } as const);
  return new Intl.DateTimeFormat(locale(), parts).format(at);
}

export function showNumber(n: number): string {
  return new Intl.NumberFormat(locale()).format(n);
}

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** "340 ms", "2 mins", by its largest unit. */
export function showDuration(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ["millisecond", 1];
  const amount = unit === "second" && ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / size);
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "short" }).format(amount);
}

/** Bytes as a person reads them. */
export function showSize(bytes: number): string {
  const [unit, size] = bytes >= 1_000_000 ? ["megabyte", 1_000_000] : ["kilobyte", 1_000];
  return new Intl.NumberFormat(locale(), {
    ...{ style: "unit", unit: String(unit), unitDisplay: "short", maximumFractionDigits: 1 },
  }).format(bytes / Number(size));
}
