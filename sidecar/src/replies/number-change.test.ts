import { expect, it } from "vitest";
import { openLog } from "../log.ts";
import { type NumberChange, NumberChanges, sentenceOn } from "./number-change.ts";

const OLD = "+15559990000";
const NEW = "+15559990077";

function changes(formerNumbers: string[] = []) {
  const told: NumberChange[] = [];
  const log = openLog("error", { write: () => {} });
  const onChange = (change: NumberChange) => void told.push(change);
  return { told, held: new NumberChanges({ formerNumbers: new Set(formerNumbers), log, onChange }) };
}

it("holds what was written to another number, tells once, and shows the chats with what to do", () => {
  const { told, held } = changes();
  for (const chat of [1, 2, 1]) expect(held.holds(chat, "outlet", { writtenTo: OLD, linked: NEW })).toBe(true);
  expect(told).toEqual([{ account: "outlet", writtenTo: "+1555…00", linked: "+1555…77" }]);
  expect(held.problems).toEqual([
    expect.stringMatching(/^replies of 2 chats wait: account outlet .*BRIDGE_FORMER_NUMBERS.*--account outlet/),
  ]);
  expect(`${held.problems} ${told.map(sentenceOn)}`).not.toContain("999");
});

it("holds nothing where both are the same, or one is not known", () => {
  const { told, held } = changes();
  for (const [writtenTo, linked] of [
    [OLD, OLD],
    [null, NEW],
    [OLD, null],
    ["me", NEW],
  ] as const)
    expect(held.holds(1, "default", { writtenTo, linked })).toBe(false);
  expect(told).toEqual([]);
});

it("lets go what was written to a former number", () => {
  const { told, held } = changes([OLD]);
  expect(held.holds(1, "default", { writtenTo: OLD, linked: NEW })).toBe(false);
  expect(told).toEqual([]);
});

it("is over when the right number is back, and tells again of the next change", () => {
  const { told, held } = changes();
  held.holds(1, "default", { writtenTo: OLD, linked: NEW });
  expect(held.holds(1, "default", { writtenTo: OLD, linked: OLD })).toBe(false);
  expect(held.problems).toEqual([]);
  held.holds(1, "default", { writtenTo: OLD, linked: NEW });
  expect(told).toHaveLength(2);
});
