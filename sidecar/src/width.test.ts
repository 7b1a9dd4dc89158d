import { expect, it } from "vitest";
import { Width } from "./width.ts";

const after = (...answers: number[]) => {
  const width = new Width({ least: 8, most: 64 });
  for (const ms of answers) width.answered(ms);
  return width.requests;
};
const times = (count: number, ms: number) => Array<number>(count).fill(ms);

it("asks for as few at once as it may while the peer takes its time, or does not do what it is asked for", () => {
  expect([after(), after(...times(100, 40)), after(...times(100, Number.POSITIVE_INFINITY))]).toEqual([8, 8, 8]);
});

it("asks for one more with each fast answer, up to a limit, and half as many with a slow one", () => {
  expect([after(25), after(...times(10, 1)), after(...times(1_000, 1))]).toEqual([9, 18, 64]);
  expect([after(...times(1_000, 1), 26), after(...times(1_000, 1), ...times(4, 26))]).toEqual([32, 8]);
});
