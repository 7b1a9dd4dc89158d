import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { Observations } from "./observations.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const seen = (text: string, whatsappMessageId: string | null, at = 10_000) => ({
  accountId: "default",
  chatId: "+15550001000",
  textSha256: sha256(text),
  whatsappMessageId,
  at,
});
const reply = (text: string, sendingAt = 9_000) => ({
  accountId: "default",
  chatId: "+15550001000",
  textSha256: sha256(text),
  sendingAt,
});

it("proves a reply of the same words, in the same chat, from the time of sending on", () => {
  const observations = new Observations();
  observations.add(seen("yes", "W1"));
  expect(observations.claim({ ...reply("yes"), chatId: "+15550002000" })).toBeUndefined();
  expect(observations.claim({ ...reply("yes"), accountId: "outlet" })).toBeUndefined();
  expect(observations.claim(reply("no"))).toBeUndefined();
  expect(observations.claim(reply("yes", 13_000))).toBeUndefined();
  expect(observations.claim(reply("yes"))?.whatsappMessageId).toBe("W1");
});

it("proves one reply only", () => {
  const observations = new Observations();
  observations.add(seen("yes", "W1"));
  observations.claim(reply("yes"));
  expect(observations.claim(reply("yes"))).toBeUndefined();
});

it("does not take another reply's send for the one in doubt, whichever is heard of first", () => {
  const observations = new Observations();
  observations.know(["W0"]);
  observations.add(seen("yes", "W0"));
  observations.add(seen("yes", "W1"));
  observations.account("W1");
  observations.account("W2");
  observations.add(seen("yes", "W2"));
  expect(observations.claim(reply("yes"))).toBeUndefined();
});

it("takes no proof from a send without an id", () => {
  const observations = new Observations();
  observations.add(seen("yes", null));
  expect(observations.claim(reply("yes"))).toBeUndefined();
});

it("remembers a bounded number", () => {
  const observations = new Observations();
  for (let n = 0; n < 1_500; n++) observations.add(seen(`text ${n}`, `W${n}`));
  expect(observations.claim(reply("text 0"))).toBeUndefined();
  expect(observations.claim(reply("text 1499"))).toBeDefined();
});
