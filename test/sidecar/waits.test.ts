import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RelayOptions, relayOptions } from "../../sidecar/src/relay/relay.ts";
import { type HotBags, type Message, startHotBags } from "../hotbags/index.ts";
import { isOnPostgres, rowsOf } from "../shop/store-of-tests.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { RELAY_DEFAULTS, type RealRelay, startRelay } from "./real-relay.ts";

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
  running = await start();
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
/** Nothing is under way. */
const idle = async () => {
  while (running.relay.status.underWay > 0) await running.relay.leave();
};

/** Takes one in that was found at fault before, after so many attempts. */
async function takeInDetached(id: string, chat = ANNA, attempts = 1) {
  await running.started;
  const { messages } = running.store;
  const { seq } = await messages.accept(messageOf(id, chat));
  const attempt = { error: "no", status: 422, nextAttemptAt: running.store.provenNow(), waitMs: 0, detach: true };
  for (let n = 0; n < attempts; n++) await messages.failed(seq, attempt);
  await running.relay.takeUp();
}

/** Takes one in and waits for the outcome of all that this sets going. */
async function settle(id: string, chat = ANNA) {
  await takeIn(id, chat);
  await idle();
}

/** Resolves when it was asked for so often, and all that follows has come to its end. */
async function asked(id: string, times = 1) {
  await until(`${id} is asked for`, () => attemptsFor(id) === times);
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

async function row(id: string): Promise<Record<string, unknown>> {
  return (await rowsOf(dir, "messages")).find(({ message_id }) => message_id === id) ?? {};
}

it("writes some lines in a night in which Hot Bags is down, however many messages wait", async () => {
  await hotbags.stop();
  const chats = Array.from({ length: 40 }, (_, n) => `+1555000300${String(n).padStart(2, "0")}`);
  for (const chat of chats) await takeIn(`of ${chat}`, chat);
  await idle();
  await pass(MINUTE_MS);
  const [lines, posts] = [running.lines.length, running.posts.length];
  await pass(6 * HOUR_MS);
  expect(running.posts.length - posts).toBeGreaterThan(300);
  expect(running.lines.length - lines).toBeLessThanOrEqual(6 * 6 + 1);
});

describe("why a message waits", () => {
  const whyWaits = (seq: number, chat: number, isDetached = false) => running.relay.whyWaits({ seq, chat, isDetached });

  it("is that Hot Bags can't be reached, with what was seen last, and when it is tried again", async () => {
    await hotbags.stop();
    const { seq, chat } = await running.takeIn("waits");
    await idle();
    const wait = await whyWaits(seq, chat);
    expect(wait?.reason).toMatch(/^Hot Bags: .*ECONNREFUSED/);
    expect(wait?.until).toBeGreaterThan(clock.now());
    await hotbags.start();
    await pass(MINUTE_MS);
    expect(await whyWaits(seq, chat)).toBeNull();
  });

  it("is its own failure, or the message before it in its chat", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    const { seq, chat } = await running.takeIn("bad");
    await idle();
    const behind = await running.store.messages.accept(messageOf("behind", ANNA));
    expect(await whyWaits(seq, chat)).toEqual({
      reason: "its next attempt, for it has failed",
      until: clock.now() + 750,
    });
    expect(await whyWaits(behind.seq, chat)).toEqual({
      reason: `message ${seq}, which came before it in its chat`,
      until: null,
    });
  });

  it("is its own backoff where it has stepped aside", async () => {
    hotbags.faultFor(is("bad"), { status: 422 }, ALWAYS);
    await takeInDetached("bad");
    await asked("bad");
    const { seq, chat } = (await row("bad")) as { seq: number; chat: number };
    expect((await whyWaits(seq, chat, true))?.reason).toBe("its next attempt, for it has failed");
  });
});

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
    await pass(749);
    expect(attemptsFor("bad")).toBe(1);
    await pass(1);
    expect(attemptsFor("bad")).toBe(2);
  });

  it("is a dead letter after the time that it says was spent retrying, and its chat goes on in order", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    const begun = clock.uptimeMs();
    await settle("bad");
    for (let n = 0; (await row("bad"))["state"] === "pending"; n++) {
      if (n > 25 * 4) throw new Error("it was not given up within a day");
      await settle(`behind-${n}`);
      await settle(`fine-${n}`, BEN);
      await pass(15 * MINUTE_MS);
    }
    expect(Number((await row("bad"))["retrying_ms"])).toBe(24 * HOUR_MS);
    expect(clock.uptimeMs() - begun - 24 * HOUR_MS).toBeLessThanOrEqual(15 * MINUTE_MS);
    await idle();
    const behind = hotbags.accepted.map(({ text }) => text).filter((text) => text.startsWith("behind-"));
    expect(behind).toEqual(behind.map((_, n) => `behind-${n}`));
    expect(behind.length).toBeGreaterThan(80);
  });

  it("waits its backoff also when Hot Bags is found to be well again meanwhile", async () => {
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    await settle("bad");
    for (const ms of [750, 1_500, 3_000, 6_000]) await pass(ms);
    // Five failures in a row: it waits for 12 s.
    const before = attemptsFor("bad");
    hotbags.next({ status: 503 }, { status: 503 });
    await settle("asks", BEN);
    expect(running.relay.status.breakerOpen).toBe(true);
    await until("Hot Bags is well again", async () => {
      await pass(100);
      return !running.relay.status.breakerOpen;
    });
    expect(attemptsFor("asks")).toBe(3);
    for (let n = 0; n < 10; n++) await settle(`behind-${n}`);
    // Asked once more when the one behind it had passed: now it waits for 24 s, out of its lane.
    expect(attemptsFor("bad")).toBe(before + 1);
    await pass(23_000);
    expect(attemptsFor("bad")).toBe(before + 1);
    await pass(1_000);
    expect(attemptsFor("bad")).toBe(before + 2);
  });
});

describe("the time of a message", () => {
  /** Takes in a lone message that always fails, and lets time pass until it is given up. Returns when each attempt was. */
  async function liveAndDie(chance: number, hours: number) {
    await running.stop();
    running = await start(relayOptions(hours * HOUR_MS));
    jitter = [chance];
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    const times: number[] = [];
    hotbags.onEvent(({ type }) => type === "attempt" && times.push(clock.uptimeMs()));
    await settle("bad");
    for (let n = 0; (await row("bad"))["state"] === "pending"; n++) {
      if (n > 1_000) throw new Error("it is never given up");
      await pass(HOUR_MS / 4);
    }
    return times;
  }

  it.each([24, 168, 1].flatMap((hours) => [0, 0.5, 0.999].map((chance) => [hours, chance] as const)))(
    "is %i hours, whatever chance (%d) says, with about a hundred attempts spread over them",
    async (hours, chance) => {
      const times = await liveAndDie(chance, hours);
      const first = times[0] ?? 0;
      expect((times.at(-1) ?? 0) - first).toBe(hours * HOUR_MS);
      const waits = times.slice(1).map((at, n) => at - (times[n] ?? 0));
      expect(Math.max(...waits)).toBeLessThanOrEqual((hours * HOUR_MS) / 66);
      expect(times.length).toBeGreaterThan(70);
      expect(times.length).toBeLessThan(150);
      if (chance === 0.5) expect(Math.abs(times.length - 100)).toBeLessThan(8);
    },
  );
});

it("Hot Bags is found to be well again soon, however long it was away, and that costs no message its time", async () => {
  jitter = [0.999];
  await hotbags.stop();
  await settle("waits");
  expect(running.relay.status.breakerOpen).toBe(true);
  await pass(30 * HOUR_MS);
  expect(await row("waits")).toMatchObject({ attempts: 0, retrying_ms: 0, state: "pending" });
  await hotbags.start();
  await pass(MINUTE_MS);
  expect(running.relay.status.breakerOpen).toBe(false);
  expect((await row("waits"))["state"]).toBe("delivered");
}, 60_000);

it.each(["0", "-5", "1.5", "soon", "Sun, 01 Mar 2020 11:00:00 GMT"])(
  "a Retry-After of %o shortens no wait",
  async (retryAfter) => {
    hotbags.faultFor(() => true, { status: 429, retryAfter }, ALWAYS);
    await settle("lone");
    await pass(MINUTE_MS);
    // 0.75 s, doubling: seven in the first minute.
    expect(attemptsFor("lone")).toBe(7);
    await settle("other", BEN);
    const before = hotbags.requests.length;
    await pass(MINUTE_MS);
    expect(hotbags.requests.length - before).toBeLessThanOrEqual(8);
  },
);

describe("detached messages", () => {
  it("don't wait for the backoff of another one that got a 500", async () => {
    hotbags.faultFor(is("waits"), { status: 422 }, 6);
    hotbags.faultFor(is("fails"), { status: 500 }, ALWAYS);
    jitter = [0.999];
    await takeInDetached("waits");
    await asked("waits");
    for (let n = 1; n <= 5; n++) await pass(2 ** n * SECOND_MS);
    expect(attemptsFor("waits")).toBe(6);
    // That one is due in 64 s. The other has 21 minutes to wait when it gets the 500.
    await takeInDetached("fails", BEN, 12);
    await asked("fails");
    await pass(64 * SECOND_MS);
    expect(attemptsFor("waits")).toBe(7);
    expect((await row("waits"))["state"]).toBe("delivered");
    await pass(10 * MINUTE_MS);
    expect(attemptsFor("fails")).toBe(1);
  });

  it("of one chat don't wait for each other's backoff either", async () => {
    hotbags.faultFor(is("waits"), { status: 422 }, 2);
    hotbags.faultFor(is("fails"), { status: 422 }, ALWAYS);
    jitter = [0.999];
    await takeInDetached("waits");
    await asked("waits");
    await takeInDetached("fails");
    await asked("fails");
    await pass(MINUTE_MS);
    expect((await row("waits"))["state"]).toBe("delivered");
    await pass(HOUR_MS);
    expect(attemptsFor("waits")).toBe(3);
    expect(attemptsFor("fails")).toBeGreaterThan(10);
  });

  it("don't wait for one of another chat that hangs", async () => {
    hotbags.faultFor(is("hangs"), "hang", ALWAYS);
    hotbags.faultFor(is("waits"), { status: 422 });
    await takeInDetached("hangs", BEN);
    await until("it hangs", () => attemptsFor("hangs") === 1);
    await takeInDetached("waits");
    await until("it was refused once more", async () => (await row("waits"))["attempts"] === 2);
    await until("it is delivered", async () => {
      clock.advance(SECOND_MS);
      return (await row("waits"))["state"] === "delivered";
    });
  });

  it("wait their backoff also when Hot Bags is found to be well again meanwhile", async () => {
    hotbags.faultFor(is("bad"), { status: 422 }, ALWAYS);
    jitter = [0.999];
    await takeInDetached("bad");
    await asked("bad");
    for (let n = 0; n < 8; n++) await pass(2 ** n * SECOND_MS);
    const before = attemptsFor("bad");
    for (const id of ["asks", "asks-too"]) hotbags.faultFor(is(id), { status: 429, retryAfter: 1 });
    await settle("asks", BEN);
    await settle("asks-too", CARA);
    expect(running.relay.status.breakerOpen).toBe(true);
    await pass(2 * SECOND_MS);
    expect(running.relay.status.breakerOpen).toBe(false);
    await settle("younger", CARA);
    expect(attemptsFor("bad")).toBe(before);
    await pass(256 * SECOND_MS);
    expect(attemptsFor("bad")).toBe(before + 1);
  });
});

describe("a clock that is set", () => {
  const WAIT_MS = 21 * MINUTE_MS;

  /** One that failed just now, after twelve times, and another of its chat that is asked each second. */
  async function waitBesideABusyOne() {
    jitter = [0.999];
    hotbags.faultFor(is("waits"), { status: 422 }, ALWAYS);
    await takeInDetached("waits", ANNA, 12);
    await asked("waits");
    hotbags.faultFor(is("busy"), { status: 422 }, 2);
    await takeInDetached("busy");
    await asked("busy");
  }

  it.each([
    ["back", -5 * HOUR_MS],
    ["forward", 5 * HOUR_MS],
  ])("%s by hours changes no wait of a detached message", async (_where, ms) => {
    await waitBesideABusyOne();
    clock.jump(ms);
    // Each time that the other one is asked, what waits in this chat is looked up.
    await pass(10 * SECOND_MS);
    expect((await row("busy"))["state"]).toBe("delivered");
    await pass(WAIT_MS - 10 * SECOND_MS);
    expect(attemptsFor("waits")).toBe(1);
    await pass(MINUTE_MS);
    expect(attemptsFor("waits")).toBe(2);
  });

  // On PostgreSQL a sidecar that starts anew goes by the database's clock, whatever its own says, and that one can't be set here.
  if (!isOnPostgres)
    it("back by hours changes none over a restart of the sidecar either", async () => {
      await waitBesideABusyOne();
      await pass(20 * MINUTE_MS);
      await running.stop();
      clock.jump(-5 * HOUR_MS);
      running = await start();
      await idle();
      await pass(WAIT_MS - 20 * MINUTE_MS);
      expect(attemptsFor("waits")).toBe(1);
      await pass(MINUTE_MS);
      expect(attemptsFor("waits")).toBe(2);
    });

  if (!isOnPostgres)
    it("forward by a day over a restart ends the wait, and ages nothing", async () => {
      await waitBesideABusyOne();
      const before = (await row("waits"))["retrying_ms"];
      await running.stop();
      clock.jump(24 * HOUR_MS);
      running = await start();
      await asked("waits", 2);
      expect(Number((await row("waits"))["retrying_ms"]) - Number(before)).toBeLessThanOrEqual(22 * MINUTE_MS);
      expect((await row("waits"))["state"]).toBe("pending");
    });

  it("back by hours changes none of a head, while all are held", async () => {
    jitter = [0.5];
    hotbags.faultFor(is("bad"), { status: 500 }, ALWAYS);
    await settle("bad");
    for (const ms of [750, 1_500, 3_000, 6_000]) await pass(ms);
    // It waits for 12 s.
    const before = attemptsFor("bad");
    clock.jump(-5 * HOUR_MS);
    hotbags.next({ status: 503 }, { status: 503 });
    await settle("asks", BEN);
    expect(running.relay.status.breakerOpen).toBe(true);
    await pass(13 * SECOND_MS);
    expect(running.relay.status.breakerOpen).toBe(false);
    expect(attemptsFor("bad")).toBeGreaterThan(before);
  });
});

it("a Retry-After counts also where it is longer than any backoff", async () => {
  await running.stop();
  running = await start(relayOptions(HOUR_MS));
  hotbags.faultFor(is("waits"), { status: 429, retryAfter: 900 });
  await takeInDetached("waits");
  await asked("waits");
  await pass(899 * SECOND_MS);
  expect(attemptsFor("waits")).toBe(1);
  await pass(SECOND_MS);
  expect((await row("waits"))["state"]).toBe("delivered");
});
