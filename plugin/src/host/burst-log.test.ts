import { expect, onTestFinished, test, vi } from "vitest";
import { memoryLog } from "../testing/log.ts";
import { until } from "../testing/until.ts";
import { BurstLog } from "./burst-log.ts";

function setUp(gatherMs: number) {
  const written = memoryLog();
  const log = new BurstLog(written, gatherMs);
  onTestFinished(() => log.stop());
  return { written, log };
}

const STAMP = /^(info )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /gm;

test("a few lines are written at once, those behind them together, in order, each with its time", async () => {
  const { written, log } = setUp(5);
  for (const text of ["one", "two", "three", "four", "five"]) log.info(text);
  expect(written.lines).toEqual(["info one", "info two", "info three"]);
  await until("the time is up", () => written.lines.length === 4);
  expect(written.lines[3]).toMatch(STAMP);
  expect(written.lines[3]?.replace(STAMP, "")).toBe("four\nfive");
});

test("after a pause lines are written at once again, and not while the burst goes on", () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { written, log } = setUp(1_000);
  for (const text of ["one", "two", "three", "four"]) log.info(text);
  vi.advanceTimersByTime(1_000);
  expect(written.lines).toHaveLength(4);
  log.info("five");
  expect(written.lines).toHaveLength(4);
  vi.advanceTimersByTime(2_000);
  expect(written.lines).toHaveLength(5);
  log.info("six");
  expect(written.lines.at(-1)).toBe("info six");
});

test("warnings and errors never wait, and keep their place", () => {
  const { written, log } = setUp(60_000);
  for (const text of ["one", "two", "three", "four"]) log.info(text);
  log.warn("careful");
  log.info("five");
  log.error("broken");
  const lines = written.lines.map((line) => line.replace(STAMP, "info "));
  expect(lines).toEqual([
    "info one",
    "info two",
    "info three",
    "info four",
    "warn careful",
    "info five",
    "error broken",
  ]);
});

test("many lines don't wait, and none is left behind at the stop", () => {
  const { written, log } = setUp(60_000);
  for (let n = 0; n < 1_000; n += 1) log.info(`line ${n}`);
  expect(written.lines.length).toBeGreaterThan(3);
  log.stop();
  const expected = Array.from({ length: 1_000 }, (_, n) => `line ${n}`);
  const lines = written.lines.flatMap((said) =>
    said
      .replace(STAMP, "")
      .replace(/^info /, "")
      .split("\n"),
  );
  expect(lines).toEqual(expected);
  log.stop();
  expect(written.lines.length).toBeLessThan(20);
});
