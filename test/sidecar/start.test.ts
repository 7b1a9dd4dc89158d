import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, onTestFinished } from "vitest";
import { freePort } from "../hotbags/port.ts";
import { SidecarProcess } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";

let built: BuiltSidecar;
const started: SidecarProcess[] = [];

beforeEach(async () => {
  built = await BuiltSidecar.prepare();
});
afterEach(async () => {
  for (const sidecar of started.splice(0)) await sidecar.stop();
  await built.close();
});

function sidecar(changes: Record<string, string> = {}) {
  const process = new SidecarProcess({ ...built.env, ...changes });
  started.push(process);
  return process;
}

it("starts without a gateway and without Hot Bags, and ends with code 0 when it is told to", async () => {
  const one = sidecar();
  await one.start();
  expect(await one.stop()).toBe(0);
  await until("it says so", () => one.lines.some(({ msg }) => msg === "sidecar stopped"));
});

it("refuses to be the second one on its state, and leaves the first one alone", async () => {
  const first = sidecar();
  await first.start();
  await expect(sidecar({ BRIDGE_LISTEN: `127.0.0.1:${await freePort()}` }).start()).rejects.toThrow(
    /code 78.*in use by another sidecar/,
  );
  expect(await first.stop()).toBe(0);
});

it("refuses an address that is taken", async () => {
  await sidecar().start();
  const elsewhere = join(built.dir, "elsewhere");
  await expect(sidecar({ BRIDGE_STATE_DIR: elsewhere }).start()).rejects.toThrow(/code 78.*EADDRINUSE.*BRIDGE_LISTEN/);
});

it("refuses a damaged database with what to do, and does not touch it", async () => {
  const first = sidecar();
  await first.start();
  await first.stop();
  writeFileSync(join(built.dir, "bridge.sqlite"), Buffer.alloc(64 * 1024, "not a database "));
  await expect(sidecar().start()).rejects.toThrow(/code 78.*damaged.*restore a backup/);
});

it("names every setting that is missing, and shows none that is there", async () => {
  const process = new SidecarProcess({ BRIDGE_TOKEN: "short", HOTBAGS_BEARER_TOKEN: "a-secret-bearer" });
  const refusal = await process.start().then(
    () => "started",
    (error: Error) => error.message,
  );
  expect(refusal).toMatch(
    /code 78.*HOTBAGS_BASE_URL: is not set.*OPENCLAW_GATEWAY_TOKEN: is not set.*BRIDGE_TOKEN: must be at least 16/,
  );
  expect(refusal).not.toMatch(/a-secret|short/);
});

// Not of the sidecar: of the tests that start it.
it.each(["SIGTERM", "SIGKILL"] as const)("ends when who started it in a test ends by %s", async (signal) => {
  const script = fileURLToPath(new URL("../shop/sidecar-owner.child.ts", import.meta.url));
  const owner = spawn(process.execPath, [script, JSON.stringify(built.env)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void owner.kill("SIGKILL"));
  const [pid] = (await once(owner.stdout, "data")).map(Number);
  const isAlive = () => {
    try {
      return process.kill(pid ?? 0, 0);
    } catch {
      return false;
    }
  };
  expect(pid).toBeGreaterThan(0);
  expect(isAlive()).toBe(true);
  owner.kill(signal);
  await until("the sidecar has ended", () => !isAlive());
});
