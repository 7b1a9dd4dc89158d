import { expect, it } from "vitest";
import { keyOfId } from "./key.ts";

it.each(["9f1c", "a\u0000b", "👜", "\ufffd", "\ufffd#", " ", "x".repeat(256)])(
  "an id that can be a key is it: %o",
  (id) => {
    expect(keyOfId(id)).toBe(id);
  },
);

it("ids that differ are keys that differ, in UTF-8 too, where half a pair of surrogates becomes U+FFFD", () => {
  const long = "x".repeat(256);
  const ids = ["\ud800", "\ud801", "\udc00", "\ufffd", "\ud800\ud800", "\ud800 ", `${long}1`, `${long}2`, long];
  const keys = ids.map((id) => Buffer.from(keyOfId(id)).toString());
  expect(new Set(keys).size).toBe(ids.length);
  for (const key of keys) expect(keyOfId(key)).toBe(key);
});
