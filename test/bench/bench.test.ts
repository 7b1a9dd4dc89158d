import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { whyNoPostgres } from "../setup/postgres.ts";
import { has } from "../setup/programs.ts";
import { drawCharts } from "./chart.ts";

// That each part runs, and checks what it measures: a message lost, twice or out of order ends it. The figures are of no interest here.

const BENCH = fileURLToPath(new URL("./bench.ts", import.meta.url));

const BENCH_OF_FLEET = fileURLToPath(new URL("../fleet/bench.ts", import.meta.url));

const bench = (...args: string[]) => run(BENCH, ...args);
async function run(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--quick", ...args]);
  return stdout;
}

it("measures the sidecar beside the prototypes", async () => {
  const report = await bench();
  expect(report).toContain("| 20 chats x 10: messages/s, to the last reply |");
  expect(report).toContain("| 400 waiting while Hot Bags is down | the sidecar |");
  expect(report).not.toContain("NaN");
}, 180_000);

it("measures the store with much in it", async () => {
  const report = await bench("--scale");
  expect(report).toMatch(/\| the next message of a chat, us \| [\d.]+ \|/);
  expect(report).toMatch(/\| a chat by its number, ms \| [\d.]+ \|/);
  expect(report).toContain("| messages waiting, all of one chat | 100 | 1,000 |");
  expect(report).not.toContain("NaN");
}, 120_000);

// Debian's strace holds the answers of the disk back: where it is not installed there is no slow one.
it.skipIf(!has("strace"))(
  "measures the sidecar on a slow disk",
  async () => {
    const report = await bench("--disk");
    expect(report).toContain("| link to `send`, ms, p50, +10 ms |");
    expect(report).not.toContain("NaN");
  },
  300_000,
);

it("draws charts that say what is on their axes", () => {
  const points = [1_000, 1_000_000].map((x, n) => ({ x, y: 20 + n }));
  const svg = drawCharts([
    { title: "Work", x: "messages waiting", y: "time, µs", lines: [{ name: "take in", points }] },
  ]);
  for (const words of ["Work", "messages waiting", "time, µs", "take in", "1,000,000", "40"])
    expect(svg).toContain(`>${words}</text>`);
  expect(svg).not.toContain("NaN");
});

it("measures the queue beside others", async () => {
  const report = await bench("--queues");
  expect(report).toMatch(/^\| {2}\| the sidecar's store \| plainjob \|/m);
  // In the chat's order, whatever the others do.
  expect(report).toMatch(/begun before their turn in the chat, % \| 0\.0 \|/);
}, 180_000);

it("measures what the bridge costs a PostgreSQL", async (test) => {
  const why = await whyNoPostgres();
  // No PostgreSQL here, and no mirror to have it from: the skip says so. CI has it.
  if (why !== null) test.skip(why);
  const report = await run(BENCH_OF_FLEET, "costs", "idle", "bytes");
  expect(report).toMatch(/^\| on PostgreSQL \| 2 \(1\) \| all at once \| [\d.]+ \|/m);
  expect(report).toMatch(/^\| its request and answer \| \d+ \| \d+ \|/m);
  expect(report).not.toContain("NaN");
}, 300_000);
