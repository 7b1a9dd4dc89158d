import { expect, it } from "vitest";
import { Width } from "./width.ts";

const after = (...answers: number[]) => {
  const width = new Width();
  for (const ms of answers) width.answered(ms);
  return width.chats;
};
const times = (count: number, ms: number) => Array<number>(count).fill(ms);

it("answers eight chats at once while the gateway is as slow as OpenClaw is", () => {
  expect([after(), after(...times(100, 40)), after(...times(100, 30_000))]).toEqual([8, 8, 8]);
});

it("answers one more with each fast answer, up to a limit, and half as many with a slow one", () => {
  expect([after(25), after(...times(10, 1)), after(...times(1_000, 1))]).toEqual([9, 18, 64]);
  expect([after(...times(1_000, 1), 26), after(...times(1_000, 1), ...times(4, 26))]).toEqual([32, 8]);
});
