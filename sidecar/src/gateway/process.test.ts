import { expect, it } from "vitest";
import { KEY_MEMORY_MS, KEY_MEMORY_SENDS, stillRemembers } from "./process.ts";

const process = { id: "boot-1", version: "2026.9.6" };
const first = { processId: "boot-1", bootMs: 1_000_000, sendsSince: 0 };

it.each([
  ["at once", process, first, first.bootMs, true],
  ["at the end of its memory", process, first, first.bootMs + KEY_MEMORY_MS, true],
  ["after its memory", process, first, first.bootMs + KEY_MEMORY_MS + 1, false],
  ["another process", { ...process, id: "boot-2" }, first, first.bootMs, false],
  ["no link", null, first, first.bootMs, false],
  ["a time before it was asked", process, first, first.bootMs - 1, false],
  ["pushed out by newer keys", process, { ...first, sendsSince: KEY_MEMORY_SENDS }, first.bootMs, false],
  ["unknown number of newer keys", process, { ...first, sendsSince: Number.NaN }, first.bootMs, false],
])("remembers the key: %s", (_when, now, asked, bootMs, expected) => {
  expect(stillRemembers(now, asked, bootMs)).toBe(expected);
});
