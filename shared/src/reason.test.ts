import { expect, it } from "vitest";
import { reasonOf } from "./reason.ts";

it.each([
  ["a phone number", "no such user +15550001001", "no such user +1555…01"],
  ["one without a plus", "no session for 15550001001", "no session for 15550…01"],
  ["a jid", "not sent to 15550001001@s.whatsapp.net", "not sent to 15550…01"],
  ["a jid with a device", "15550001001:12@s.whatsapp.net is gone", "15550…01:12@s.whatsapp.net is gone"],
  ["a group", "no member of 120363000000000001@g.us", "no member of 1203…01@g.us"],
  ["several", "+15550001001, +15550001002", "+1555…01, +1555…02"],
  ["an address of this machine, which is none", "connect ECONNREFUSED 127.0.0.1:18790", undefined],
])("masks %s", (_what, text, masked) => {
  expect(reasonOf(new Error(text))).toBe(masked ?? text);
  // Whatever was thrown.
  expect(reasonOf(text)).toBe(masked ?? text);
});

it("is one line of a bounded length", () => {
  const reason = reasonOf(new Error(`first\nsecond\t${"x".repeat(10_000)}`));
  expect(reason).toMatch(/^first second x+$/);
  expect(reason).toHaveLength(300);
});

it("quotes nothing of a text that is no JSON", () => {
  const read = () => JSON.parse("the customer's words");
  expect(read).toThrow(/customer/);
  try {
    read();
  } catch (error) {
    expect(reasonOf(error)).toBe("SyntaxError");
  }
});
