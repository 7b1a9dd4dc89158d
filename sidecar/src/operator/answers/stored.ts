import { chatId } from "@hotbags/shared";
import type { z } from "zod";

// What the database has, as it can be shown: a damaged page can be read, and be wrong all the same.

/** The last instant that a Date can be. */
const MAX_TIME_MS = 8.64e15;

/** What a damaged row says may be no time at all. */
export function iso(at: number): string {
  return new Date(Math.abs(at) <= MAX_TIME_MS ? at : 0).toISOString();
}

export function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}

export function readJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

/** Of a time in a request, ms. */
export function instantOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

/** What is left of a forgotten chat is a hash. */
export function isKnown(chat: string | null): chat is string {
  return chatId.safeParse(chat).success;
}

/** A row that is wrong is named, and costs no other. */
export function sift<Row extends { id: number }>(form: z.ZodType, rows: Row[]): { sound: Row[]; unsound: number[] } {
  const isSound = (row: Row) => form.safeParse(row).success;
  return { sound: rows.filter(isSound), unsound: rows.filter((row) => !isSound(row)).map(({ id }) => id) };
}
