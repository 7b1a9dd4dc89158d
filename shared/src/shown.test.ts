import { expect, it } from "vitest";
import { shownId, shownName, shownVersion } from "./shown.ts";

it.each([
  ["9f1c", "9f1c"],
  ["3EB0C0FFEE0123456789", "3EB0C0FFEE0123456789"],
  ["9007199254740991", "9007199254740991"],
  ["7c0e5a5e-8d3a-4a51-9a53-0d5b6f0a2a11", "7c0e5a5e-8d3a-4a51-9a53-0d5b6f0a2a11"],
  ["reply-to:+15550001001:7", "reply-to:+1555…01:7"],
  ["false_15550001001@c.us_3EB0", "false_15550…01_3EB0"],
  ["15550001001:12@s.whatsapp.net", "15550…01"],
  ["120363000000000001@g.us/3EB0", "1203…01@g.us/3EB0"],
])("the id %o is shown as %o", (id, shown) => {
  expect(shownId(id)).toBe(shown);
});

it("an id that may be words is shown by a hash, the same each time", () => {
  expect(shownId("see you at ten")).toMatch(/^#[0-9a-f]{16}$/);
  expect(shownId("see you at ten")).toBe(shownId("see you at ten"));
  expect(shownId("see you at ten")).not.toBe(shownId("see you at nine"));
});

it.each(["0.1.0", "2026.9.6", "2026.9.6-beta.1", "1.0.0-rc14"])("the version %s is shown", (version) => {
  expect(shownVersion(version)).toBe(version);
});

it.each(["", "15550001001", "see you at ten", "1.0.0-15550001001"])("%o is no version", (version) => {
  expect(shownVersion(version)).toBe("unknown");
});

it.each(["send_sticker", "operator.write", "AUTH_TOKEN_MISMATCH"])("the name %s is shown", (name) => {
  expect(shownName(name)).toBe(name);
});

it.each(["", "see you at ten", "+15550001001", "a".repeat(200), "send_15550001001"])("%o is no name", (name) => {
  expect(shownName(name)).toBe("(not shown)");
});
