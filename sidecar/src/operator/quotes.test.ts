import { expect, it } from "vitest";
import { withoutQuotes } from "./quotes.ts";

const TEXT = "Dear Anna, your order 17 is ready.\nCall +15550001000";

it.each([
  ["all of it", `can't send "Dear Anna, your order 17 is ready. Call +1555…00"`, `can't send "…"`],
  ["its beginning, as where it was cut off", "too long: Dear Anna, your ord", "too long: …"],
  ["its middle", "bad word in “order 17 is ready”", "bad word in “…”"],
  ["two parts of it", "Dear Anna, your or and 17 is ready. Call", "… and…"],
  ["it in another case", "DEAR ANNA, YOUR ORDER 17", "…"],
  ["nothing of it", 'Unknown account "nope" for channel whatsapp.', 'Unknown account "nope" for channel whatsapp.'],
  ["words that are in most sentences", "it is not ready", "it is not ready"],
])("cuts what quotes a text: %s", (_what, said, shown) => {
  expect(withoutQuotes(said, [TEXT])).toBe(shown);
});

it("cuts a short text too, where all of it stands there, and each of several", () => {
  expect(withoutQuotes("can't send: Yes, at 5", ["Yes, at 5"])).toBe("can't send: …");
  expect(withoutQuotes("answer to Where are you? is Here we are", ["Here we are", "Where are you?", ""])).toBe(
    "answer to … is …",
  );
});
