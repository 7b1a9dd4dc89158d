import { expect, test } from "vitest";
import { Semaphore } from "./semaphore.ts";

const never = new AbortController().signal;

test("so many run at a time, in order, whether they fail or not", async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const works = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const runs = works.map(({ promise }, n) =>
    semaphore.run(() => {
      begun.push(n);
      return promise;
    }, never),
  );
  expect(begun).toEqual([0, 1]);
  works[1]?.reject(new Error("failed"));
  await expect(runs[1]).rejects.toThrow("failed");
  expect(begun).toEqual([0, 1, 2]);
  for (const { resolve } of works) resolve();
  await Promise.allSettled(runs);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
});

test("what was aborted before its turn is not run, and takes no place", async () => {
  const semaphore = new Semaphore(1);
  const stopping = new AbortController();
  const first = Promise.withResolvers<void>();
  const running = semaphore.run(() => first.promise, never);
  let isRun = false;
  const aborted = semaphore.run(async () => {
    isRun = true;
  }, stopping.signal);
  const last = semaphore.run(async () => "its turn", never);
  stopping.abort();
  first.resolve();
  await running;
  await expect(aborted).rejects.toThrow();
  expect(isRun).toBe(false);
  expect(await last).toBe("its turn");
});
