import { expect, it } from "vitest";
import { disordered, withoutWitnesses } from "../soak/chat-order.ts";

const WRITTEN = ["a", "b", "c", "d"];
const inChat = (ids: string) => [...ids].map((id) => ({ chat: "x", id }));

it.each([
  ["abcd", "", "abcd", ""],
  // A witness passes right before the one that failed, or before several, and only there.
  ["bacd", "a", "abcd", "b"],
  ["cabd", "ab", "abcd", "c"],
  ["bac", "a", "abc", "b"],
  // That one did not fail, or not each of them did, or others came in between: these are out of order.
  ["bacd", "", "bacd", ""],
  ["cabd", "b", "cabd", ""],
  ["bcad", "a", "bcad", ""],
  ["acdb", "b", "acdb", ""],
])("%s, where %j failed again, is %s with the witnesses %j", (came, failing, without, witnesses) => {
  const judged = withoutWitnesses(inChat(came), WRITTEN, new Set(failing));
  expect(judged).toEqual({ messages: inChat(without), witnesses: [...witnesses] });
  expect(disordered(judged.messages, WRITTEN)).toEqual(without === [...without].toSorted().join("") ? [] : ["x"]);
});
