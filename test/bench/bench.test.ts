import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

// That each part runs, and checks what it measures: a message lost, twice or out of order ends it. The figures are of no interest here.

const BENCH = fileURLToPath(new URL("./bench.ts", import.meta.url));

const bench = async (...args: string[]) => {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, "--quick", ...args]);
  return stdout;
};

it("measures the sidecar beside the prototypes", async () => {
  const report = await bench();
  expect(report).toContain("| 20 chats x 10: messages/s, to the last reply |");
  expect(report).toContain("| 400 waiting while Hot Bags is down | the sidecar |");
  expect(report).not.toContain("NaN");
}, 180_000);

it("measures the store with much in it", async () => {
  expect(await bench("--scale")).toMatch(/\| the next message of a chat, us \| [\d.]+ \|/);
}, 60_000);

it("measures the queue beside others", async () => {
  const report = await bench("--queues");
  expect(report).toMatch(/^\| {2}\| the sidecar's store \| plainjob \|/m);
  // In the chat's order, whatever the others do.
  expect(report).toMatch(/begun before their turn in the chat, % \| 0\.0 \|/);
}, 180_000);
