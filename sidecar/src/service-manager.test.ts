import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SimulatedClock } from "../../test/simulated-clock.ts";
import { until } from "../../test/until.ts";
import { ServiceManager } from "./service-manager.ts";

/** A systemd-notify that writes down what it is to tell. */
const NOTIFY = fileURLToPath(new URL("../../test/systemd", import.meta.url));

let dir: string;
let clock: SimulatedClock;
let logged: string[];
let environment: NodeJS.ProcessEnv;
let manager: ServiceManager | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-notify-"));
  clock = new SimulatedClock();
  logged = [];
  manager = undefined;
  environment = { PATH: NOTIFY, NOTIFY_SOCKET: join(dir, "said"), WATCHDOG_USEC: "60000000", SECRET: "x" };
});
afterEach(() => {
  manager?.close();
  rmSync(dir, { recursive: true });
});

function open() {
  // This test's own: what a test has still under way at its end must not be heard in the next.
  const lines = logged;
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  manager = new ServiceManager({ environment, log, clock, timers: clock });
  return manager;
}

function said(): string[] {
  try {
    return readFileSync(join(dir, "said"), "utf8").trimEnd().split("\n");
  } catch {
    return [];
  }
}

/** Resolves with what was said, when that is so many lines. */
async function saidSoFar(lines: number) {
  await until(`systemd was told ${lines} things`, () => said().length >= lines);
  return said().map((line) => line.replace(/ ?STATUS=.*/, ""));
}

it("tells of the start, of being ready and of the end, and feeds the watchdog three times in its time", async () => {
  const systemd = open();
  systemd.starting();
  expect(await saidSoFar(1)).toEqual(["EXTEND_TIMEOUT_USEC=120000000"]);
  clock.advance(30_000);
  expect(await saidSoFar(2)).toEqual(Array(2).fill("EXTEND_TIMEOUT_USEC=120000000"));
  systemd.ready(() => null);
  expect((await saidSoFar(4)).slice(2)).toEqual(["READY=1", "WATCHDOG=1"]);
  clock.advance(20_000);
  clock.advance(20_000);
  expect((await saidSoFar(6)).slice(4)).toEqual(["WATCHDOG=1", "WATCHDOG=1"]);
  systemd.stopping();
  expect((await saidSoFar(7)).slice(6)).toEqual(["STOPPING=1"]);
  expect(logged).toEqual([]);
});

it("does not feed the watchdog when the database has taken no writes for ten minutes, and says so once", async () => {
  let outage: { isDamage: boolean } | null = { isDamage: false };
  open().ready(() => outage);
  for (let fed = 2; fed < 32; fed += 1) {
    await saidSoFar(fed);
    clock.advance(20_000);
  }
  clock.advance(20_000);
  expect(logged).toEqual([expect.stringMatching(/no writes for ten minutes/)]);
  outage = null;
  clock.advance(20_000);
  expect((await saidSoFar(32)).length).toBe(32);
});

it("feeds it for as long as the database is damaged: a new start would mend nothing", async () => {
  open().ready(() => ({ isDamage: true }));
  for (let fed = 2; fed < 35; fed += 1) {
    await saidSoFar(fed);
    clock.advance(20_000);
  }
  expect(logged).toEqual([]);
});

it("says in the log that systemd can't be told", async () => {
  environment["PATH"] = dir;
  open().ready(() => null);
  await until("it is in the log", () => logged.length > 0);
  expect(logged[0]).toMatch(/systemd can't be told.*ENOENT|ENOENT.*systemd can't be told/);
});

it.each([
  ["is started by hand", { NOTIFY_SOCKET: undefined }, []],
  ["has no watchdog", { WATCHDOG_USEC: undefined }, ["READY=1", "STOPPING=1"]],
  ["is beside the process that has the watchdog", { WATCHDOG_PID: "1" }, ["READY=1", "STOPPING=1"]],
])("says no more than is asked for where it %s", async (_, changes, expected) => {
  Object.assign(environment, changes);
  const systemd = open();
  systemd.ready(() => null);
  clock.advance(60_000);
  systemd.stopping();
  expect(await saidSoFar(expected.length)).toEqual(expected);
});
