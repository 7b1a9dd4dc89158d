import { execFile } from "node:child_process";
import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";

// The clean-up before a gateway's start, on copies of plugins as OpenClaw lays them out. test/e2e/one-gateway/restarts.suite.ts has real ones.

const SCRIPT = fileURLToPath(new URL("../../systemd/remove-dead-plugin-captures.mjs", import.meta.url));

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-captures-"));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

/** A copy of plugins, so many seconds old, as its owner leaves it when it is killed. */
function capture(name: string, ageS = 120) {
  const copy = join(stateDir, "tmp", "plugin-captures", name);
  mkdirSync(join(copy, "captures", "openclaw-plugin-build-x"), { recursive: true });
  writeFileSync(join(copy, "captures", "openclaw-plugin-build-x", "index.js"), "// a plugin");
  writeFileSync(join(copy, "owner.sqlite"), "");
  const age = () => utimesSync(copy, Date.now() / 1_000 - ageS, Date.now() / 1_000 - ageS);
  age();
  return { copy, age };
}

async function run() {
  const env = { OPENCLAW_STATE_DIR: stateDir };
  return promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", SCRIPT], { env });
}

it("removes what gateways left that were killed, and says how many", async () => {
  const copies = ["a", "b"].map((name) => capture(name).copy);
  expect(await run()).toEqual({
    stdout: "hotbags: removed 2 plugin copies of gateways that were killed\n",
    stderr: "",
  });
  expect(copies.filter(existsSync)).toEqual([]);
});

it("leaves what belongs to a process that runs", async () => {
  const { copy, age } = capture("alive");
  const owner = new DatabaseSync(join(copy, "owner.sqlite"));
  onTestFinished(() => owner.close());
  // As OpenClaw does it.
  owner.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  age();
  expect(await run()).toEqual({ stdout: "", stderr: "" });
  expect(existsSync(join(copy, "captures", "openclaw-plugin-build-x", "index.js"))).toBe(true);
});

it("leaves what is young, or not what OpenClaw makes, and follows no link", async () => {
  const young = capture("young", 10).copy;
  const fromAnotherClock = capture("from another clock", -10).copy;
  const { copy: withoutLock, age } = capture("without lock");
  rmSync(join(withoutLock, "owner.sqlite"));
  age();
  const linked = capture("linked");
  linkSync(join(linked.copy, "owner.sqlite"), join(stateDir, "somebody's"));
  const elsewhere = join(stateDir, "elsewhere");
  mkdirSync(join(elsewhere, "captures"), { recursive: true });
  writeFileSync(join(elsewhere, "owner.sqlite"), "");
  symlinkSync(elsewhere, join(stateDir, "tmp", "plugin-captures", "link"));
  expect(await run()).toEqual({ stdout: "", stderr: "" });
  expect([young, fromAnotherClock, withoutLock, linked.copy, elsewhere].filter(existsSync)).toHaveLength(5);
});

it("has nothing to do where there is none", async () => {
  expect(await run()).toEqual({ stdout: "", stderr: "" });
});
