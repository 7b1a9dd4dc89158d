import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RELAY_DEFAULTS, type RelayOptions } from "../../sidecar/src/relay/relay.ts";
import { type HotBags, type Message, startHotBags } from "../hotbags/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { ANNA, BEN } from "./message.ts";
import { type RealRelay, startRelay } from "./real-relay.ts";

// What waits on the way to Hot Bags, for what, and how long: as in production, by a clock that the test moves.

const CARA = "+15550001003";
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const ALWAYS = Number.POSITIVE_INFINITY;

let dir: string;
let clock: SimulatedClock;
let hotbags: HotBags;
let running: RealRelay;
/** What jitter makes of the next waits, as a part of their bound; in the end the last one, for ever. */
let jitter: number[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-waits-"));
  clock = new SimulatedClock();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  jitter = [0.5];
  running = start();
});
afterEach(async () => {
  // What hangs ends here.
  await running.client.close();
  await running.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
});

function start(options: Partial<RelayOptions> = {}) {
  const random = () => (jitter.length > 1 ? jitter.shift() : jitter[0]) ?? 0;
  return startRelay({
    ...{ dir, url: hotbags.url, clock, timers: clock, random },
    options: { ...RELAY_DEFAULTS, ...options },
  });
}

const takeIn: RealRelay["takeIn"] = (...args) => running.takeIn(...args);
const idle = () => until("nothing is under way", () => running.relay.status.underWay === 0);

/** Takes one in and waits for the outcome of all that this sets going. */
async function settle(id: string, chat = ANNA) {
  await takeIn(id, chat);
  await idle();
}

/** Lets time pass, and each attempt that falls due in it come to its end before the clock goes on. */
async function pass(ms: number) {
  for (const end = clock.uptimeMs() + ms; clock.uptimeMs() < end; await idle())
    clock.advanceToNext(end - clock.uptimeMs());
}

const attemptsFor = (id: string) => hotbags.requests.filter(({ key }) => key === id).length;
const is =
  (id: string) =>
  ({ text }: Message) =>
    text === id;

function row(id: string) {
  const tables = new Database(join(dir, "bridge.sqlite"), { readonly: true });
  const found = tables.prepare("SELECT * FROM messages WHERE message_id = ?").get(id) as Record<string, unknown>;
  tables.close();
  return found;
}

describe("a failing head", () => {
  it("waits its backoff, however many messages of its chat arrive", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    await settle("bad");
    for (let n = 0; n < 100; n++) {
      await settle(`behind-${n}`);
      // A success of another chat each time: this is no outage.
      await settle(`fine-${n}`, BEN);
    }
    expect(hotbags.accepted).toHaveLength(100);
    expect(attemptsFor("bad")).toBe(1);
    await pass(499);
    expect(attemptsFor("bad")).toBe(1);
    await pass(1);
    expect(attemptsFor("bad")).toBe(2);
  });

  it("is a dead letter after the time that it says was spent retrying, and its chat goes on in order", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    jitter = [0.999];
    await running.stop();
    // It is this message alone that fails, and nobody is asked on behalf of all.
    running = start({ breakerThreshold: ALWAYS });
    const begun = clock.uptimeMs();
    await settle("bad");
    for (let n = 0; row("bad")["state"] === "pending"; n++) {
      if (n > 24 * 4) throw new Error("it was not given up within a day");
      await settle(`behind-${n}`);
      await settle(`fine-${n}`, BEN);
      await pass(15 * MINUTE_MS);
    }
    const booked = Number(row("bad")["retrying_ms"]);
    const spent = clock.uptimeMs() - begun;
    expect(booked / HOUR_MS).toBeGreaterThan(20);
    expect(Math.abs(spent - booked)).toBeLessThanOrEqual(15 * MINUTE_MS);
    expect(attemptsFor("bad")).toBeLessThanOrEqual(RELAY_DEFAULTS.maxAttempts);
    await idle();
    const behind = hotbags.accepted.map(({ text }) => text).filter((text) => text.startsWith("behind-"));
    expect(behind).toEqual(behind.map((_, n) => `behind-${n}`));
    expect(behind.length).toBeGreaterThan(80);
  });

  it("waits its backoff also when Hot Bags is found to be well again meanwhile", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    await settle("bad");
    for (const ms of [500, 1_000, 2_000, 4_000]) await pass(ms);
    // Five failures in a row: the breaker is open, and the head waits for 8 s.
    expect(running.relay.status.breakerOpen).toBe(true);
    const before = attemptsFor("bad");
    hotbags.next({ status: 503 }, { status: 503 });
    await takeIn("asks", BEN);
    await until("Hot Bags is well again", async () => {
      await pass(100);
      return !running.relay.status.breakerOpen;
    });
    expect(attemptsFor("asks")).toBeGreaterThan(1);
    for (let n = 0; n < 10; n++) await settle(`behind-${n}`);
    expect(attemptsFor("bad")).toBe(before);
    await pass(8_000);
    expect(attemptsFor("bad")).toBe(before + 1);
  });
});

it("Hot Bags is found to be well again soon, also where all that waits has a long backoff", async () => {
  jitter = [0.999];
  const lift = hotbags.faultFor(() => true, { status: 500 }, ALWAYS);
  await settle("waits");
  for (const seconds of [1, 2, 4, 8]) await pass(seconds * SECOND_MS);
  expect(running.relay.status.breakerOpen).toBe(true);
  await pass(HOUR_MS);
  expect(row("waits")["attempts"]).toBeLessThan(15);
  lift();
  await pass(MINUTE_MS);
  expect(running.relay.status.breakerOpen).toBe(false);
  expect(row("waits")["state"]).toBe("delivered");
});

describe("detached messages", () => {
  it("don't wait for the backoff of another one that got a 500", async () => {
    const REFUSALS = 12;
    hotbags.faultFor(is("waits"), { status: 422 }, 6);
    hotbags.faultFor(is("fails"), { status: 422 }, REFUSALS);
    hotbags.faultFor(is("fails"), { status: 500 }, ALWAYS);
    jitter = [0.999];
    await settle("waits");
    for (let n = 0; n < 5; n++) await pass(2 ** n * SECOND_MS);
    expect(attemptsFor("waits")).toBe(6);
    // That one is due in 32 s. The other has 15 minutes to wait when it gets the 500.
    jitter = [...Array(REFUSALS).fill(0), 0.999];
    await settle("fails", BEN);
    await pass(1);
    expect(attemptsFor("fails")).toBe(REFUSALS + 1);
    await pass(32 * SECOND_MS);
    expect(attemptsFor("waits")).toBe(7);
    expect(row("waits")["state"]).toBe("delivered");
    await pass(10 * MINUTE_MS);
    expect(attemptsFor("fails")).toBe(REFUSALS + 1);
  });

  it("of one chat don't wait for each other's backoff either", async () => {
    hotbags.faultFor(is("waits"), { status: 422 }, 2);
    hotbags.faultFor(is("fails"), { status: 422 }, ALWAYS);
    jitter = [0.999];
    await settle("waits");
    await settle("fails");
    await pass(MINUTE_MS);
    expect(row("waits")["state"]).toBe("delivered");
    await pass(HOUR_MS);
    expect(attemptsFor("waits")).toBe(3);
    expect(attemptsFor("fails")).toBeGreaterThan(10);
  });

  it("don't wait for one of another chat that hangs", async () => {
    hotbags.faultFor(is("hangs"), { status: 422 });
    hotbags.faultFor(is("hangs"), "hang", ALWAYS);
    hotbags.faultFor(is("waits"), { status: 422 });
    await settle("hangs", BEN);
    clock.advance(SECOND_MS);
    await until("it hangs", () => attemptsFor("hangs") === 2);
    await takeIn("waits");
    await until("it is detached", () => row("waits")["detached"] === 1);
    await until("it is delivered", () => {
      clock.advance(SECOND_MS);
      return row("waits")["state"] === "delivered";
    });
  });

  it("wait their backoff also when Hot Bags is found to be well again meanwhile", async () => {
    hotbags.faultFor(is("bad"), { status: 422 }, ALWAYS);
    jitter = [0.999];
    await settle("bad");
    for (let n = 0; n < 8; n++) await pass(2 ** n * SECOND_MS);
    const before = attemptsFor("bad");
    hotbags.faultFor(is("asks"), { status: 429, retryAfter: 1 });
    await settle("asks", BEN);
    expect(running.relay.status.breakerOpen).toBe(true);
    await pass(2 * SECOND_MS);
    expect(running.relay.status.breakerOpen).toBe(false);
    await settle("younger", CARA);
    expect(attemptsFor("bad")).toBe(before);
    await pass(256 * SECOND_MS);
    expect(attemptsFor("bad")).toBe(before + 1);
  });
});
