import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

// That each part of `npm run bench:gateway` that needs one start of the gateway runs, and comes to figures. They are of no interest here.

const BENCH = fileURLToPath(new URL("../bench/gateway.ts", import.meta.url));

it("measures the bridge on the real gateway", async () => {
  const parts = ["--only", "hops", "--only", "rounds", "--shared-cpus"];
  const { stdout } = await promisify(execFile)(process.execPath, [BENCH, "--quick", ...parts]);
  expect(stdout).toMatch(/\| \*\*what the bridge adds\*\* .+ \| the bridge \| [\d.]+ \| [\d.]+ \|/);
  expect(stdout).toMatch(/\| messages\/s, mean \| [\d.]+ \| [\d.]+ \| [\d.]+ \|/);
  expect(stdout).not.toContain("NaN");
}, 600_000);
