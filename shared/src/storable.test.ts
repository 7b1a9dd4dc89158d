import { expect, it } from "vitest";
import { storableJson, storableText } from "./storable.ts";

it.each([
  ["a\0b", "a\ufffdb"],
  ["\ud83d", "\ufffd"],
  ["\udc5c\ud83d", "\ufffd\ufffd"],
  ["👜", "👜"],
  ["\\u0000 \\ud83d", "\\u0000 \\ud83d"],
  ["\\\0", "\\\ufffd"],
  ['\u0001\b\n"\\', '\u0001\b\n"\\'],
])("%j becomes %j, wherever it stands", (text, stored) => {
  expect(storableText(text)).toBe(stored);
  expect(JSON.parse(storableJson(JSON.stringify({ [text]: [{ text }] })))).toEqual({ [stored]: [{ text: stored }] });
});

it("nothing else of a JSON text is touched, whatever stands beside whatever", () => {
  const pieces = ["\0", "\\", "u0000", "d83d", "\ud83d", "\udc5c", "a"];
  const texts = pieces.flatMap((a) => pieces.flatMap((b) => pieces.flatMap((c) => pieces.map((d) => a + b + c + d))));
  for (const text of texts) expect(JSON.parse(storableJson(JSON.stringify([text])))).toEqual([storableText(text)]);
});
