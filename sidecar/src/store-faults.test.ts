import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { openLog } from "./log.ts";
import { NotOwnedError, openStore, RowUnreadableError, StoreUnwritableError } from "./store/index.ts";
import { StoreFaults } from "./store-faults.ts";

function stand() {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-faults-"));
  const clock = new SimulatedClock();
  const store = openStore(dir, clock);
  onTestFinished(() => {
    store.close();
    rmSync(dir, { recursive: true });
  });
  const lines: unknown[] = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { clock, lines, faults: new StoreFaults({ store, clock, log, random: () => 0.999 }) };
}

it("a lane rests longer each time, up to a minute, until a run of it passes", () => {
  const { clock, faults } = stand();
  const seconds = (lane: number) => {
    const rest = faults.failed(lane, new Error("no"));
    return rest === "empty" ? 0 : Math.ceil((rest.until - clock.uptimeMs()) / 1_000);
  };
  expect(Array.from({ length: 8 }, () => seconds(1))).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  expect(seconds(-1)).toBe(1);
  faults.passed(1);
  expect(seconds(1)).toBe(1);
});

it("a full disk is said once a minute, however many lanes it concerns", () => {
  const { clock, lines, faults } = stand();
  for (let second = 0; second < 600; second++) {
    for (let lane = 0; lane < 100; lane++) faults.failed(lane, new Error("the disk is full"));
    clock.advance(1_000);
  }
  expect(lines).toHaveLength(10);
  expect(lines[0]).toMatchObject({ level: "error", alarm: true });
});

it("an outage is left to the line that it has in the log", () => {
  const { lines, faults } = stand();
  expect(faults.failed(1, new StoreUnwritableError("full"))).toMatchObject({ cause: "store" });
  expect(lines).toEqual([]);
});

it("a lane of an account that is another process's ends, and nothing is said", () => {
  const { lines, faults } = stand();
  expect(faults.failed(1, new NotOwnedError("another one's"))).toBe("empty");
  expect(lines).toEqual([]);
});

it("a row that can't be read or written is tried three times before it is given up", () => {
  const { faults } = stand();
  const damage = new RowUnreadableError("message", 7, undefined);
  const tries = () => Array.from({ length: 3 }, () => faults.damaged(7, damage)?.cause ?? null);
  expect(tries()).toEqual(["store", "store", null]);
  faults.forget(7);
  expect(tries()).toEqual(["store", "store", null]);
});
