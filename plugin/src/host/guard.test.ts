import { expect, test } from "vitest";
import { guarded } from "./guard.ts";

test("what works is as if it was not guarded", async () => {
  const told: unknown[] = [];
  expect(
    guarded(
      (one: number, two: number) => one + two,
      (error) => told.push(error),
    )(1, 2),
  ).toBe(3);
  expect(
    await guarded(
      async () => "done",
      (error) => told.push(error),
    )(),
  ).toBe("done");
  expect(told).toEqual([]);
});

test("what throws or rejects is told, and gives nothing", async () => {
  const told: unknown[] = [];
  const error = new Error("disk I/O error");
  const thrower = () => {
    throw error;
  };
  expect(guarded(thrower, (it) => told.push(it))()).toBeUndefined();
  expect(
    await guarded(
      async () => thrower(),
      (it) => told.push(it),
    )(),
  ).toBeUndefined();
  expect(told).toEqual([error, error]);
});

test("what fails in being told is dropped", async () => {
  const thrower = () => {
    throw new Error("again");
  };
  expect(guarded(thrower, thrower)()).toBeUndefined();
  expect(await guarded(async () => thrower(), thrower)()).toBeUndefined();
});
