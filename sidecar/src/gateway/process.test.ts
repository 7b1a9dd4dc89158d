import { expect, it } from "vitest";
import { KEY_MEMORY_MS, KEY_MEMORY_SENDS, stillRemembers } from "./process.ts";

const process = { id: "boot-1", version: "2026.9.6" };
const first = { processId: "boot-1", at: 1_000_000, sendsSince: 0 };

it.each([
  ["at once", process, first, first.at, true],
  ["at the end of its memory", process, first, first.at + KEY_MEMORY_MS, true],
  ["after its memory", process, first, first.at + KEY_MEMORY_MS + 1, false],
  ["another process", { ...process, id: "boot-2" }, first, first.at, false],
  ["no link", null, first, first.at, false],
  ["the clock went back", process, first, first.at - 1, false],
  ["pushed out by newer keys", process, { ...first, sendsSince: KEY_MEMORY_SENDS }, first.at, false],
  ["unknown number of newer keys", process, { ...first, sendsSince: Number.NaN }, first.at, false],
])("remembers the key: %s", (_when, now, asked, at, expected) => {
  expect(stillRemembers(now, asked, at)).toBe(expected);
});
