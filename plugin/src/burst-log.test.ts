import { expect, onTestFinished, test } from "vitest";
import { BurstLog } from "./burst-log.ts";
import { memoryLog } from "./testing/log.ts";
import { until } from "./testing/until.ts";

function setUp(gatherMs: number) {
  const written = memoryLog();
  const log = new BurstLog(written, gatherMs);
  onTestFinished(() => log.stop());
  return { written, log };
}

test("a line alone is written at once, those behind it together, in order", async () => {
  const { written, log } = setUp(5);
  for (const text of ["one", "two", "three"]) log.info(text);
  expect(written.lines).toEqual(["info one"]);
  await until("the time is up", () => written.lines.length === 2);
  expect(written.lines[1]).toBe("info two\nthree");
});

test("warnings and errors never wait, and keep their place", () => {
  const { written, log } = setUp(60_000);
  for (const text of ["one", "two"]) log.info(text);
  log.warn("careful");
  log.info("three");
  log.error("broken");
  expect(written.lines).toEqual(["info one", "info two", "warn careful", "info three", "error broken"]);
});

test("many lines don't wait, and none is left behind at the stop", () => {
  const { written, log } = setUp(60_000);
  for (let n = 0; n < 1_000; n += 1) log.info(`line ${n}`);
  expect(written.lines.length).toBeGreaterThan(1);
  log.stop();
  const expected = Array.from({ length: 1_000 }, (_, n) => `line ${n}`);
  expect(written.lines.flatMap((lines) => lines.replace(/^info /, "").split("\n"))).toEqual(expected);
  log.stop();
  expect(written.lines.length).toBeLessThan(20);
});
