import { expect, it } from "vitest";
import { type Beside, LogBudget } from "./log-budget.ts";

it("writes twenty lines a minute, says which is the last, and then how many were left out", () => {
  let now = 0;
  const budget = new LogBudget({ uptimeMs: () => now });
  const written: Beside[] = [];
  const log = (times: number) => {
    for (let n = 0; n < times; n++) budget.log((beside) => void written.push(beside));
  };
  log(100);
  expect(written).toHaveLength(20);
  expect(written.filter(({ note }) => note !== "")).toEqual([written[19]]);
  now = 59_999;
  log(1);
  expect(written).toHaveLength(20);
  now = 60_000;
  log(2);
  expect(written.slice(20)).toEqual([
    { fields: { left_out: 81 }, note: "" },
    { fields: {}, note: "" },
  ]);
});
