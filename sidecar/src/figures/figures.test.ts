import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, messageOf } from "../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { until } from "../../../test/until.ts";
import { emptyTally, openStore, type Store, StoreUnwritableError, viewStore } from "../store/index.ts";
import { addDuration, percentile } from "./durations.ts";
import { FigureRecorder } from "./recorder.ts";
import { type Range, readSeries } from "./series.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Where the store has one owner it does not matter which. */
const ACCOUNT = "default";

let dir: string;
let clock: SimulatedClock;
let store: Store;
let figures: FigureRecorder;
let ids = 0;
/** Of the log. */
let lines: string[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-figures-"));
  clock = new SimulatedClock();
  lines = [];
  start();
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function start() {
  store = openStore(dir, clock);
  const mine = store;
  const ifAlive = (wake: () => void) => () => void (mine === store && wake());
  const timers = { after: (ms: number, wake: () => void) => clock.after(ms, ifAlive(wake)) };
  figures = new FigureRecorder({ store, clock, timers, log: pino({}, { write: (line: string) => lines.push(line) }) });
  figures.start();
}

/** The process dies, and another one begins. */
function crash(awayMs = 0) {
  store.close();
  clock.advance(awayMs);
  start();
}

async function accept() {
  const accepted = await store.messages.accept(messageOf(`figure-${++ids}`, ANNA));
  figures.waits(1, ACCOUNT);
  return accepted;
}

async function deliver(seq: number) {
  await store.messages.delivered(seq, 200, "{}", []);
  figures.waits(-1, ACCOUNT);
}

/** Moves on, and waits for what is written on the way. */
async function pass(ms: number) {
  clock.advance(ms);
  await store.figuresOf(ACCOUNT).add(0, emptyTally(), 1, null);
}

const series = async (range: Range) => readSeries(store.figures, range, clock.now(), await figures.running());
/** Of the last points of a range. */
const last = async (range: Range, points: number) => (await series(range)).messages_in.slice(-points);
const rows = () =>
  new Database(join(dir, "bridge.sqlite"), { readonly: true }).prepare("SELECT count(*) FROM figures").pluck().get();

describe("durations", () => {
  it.each([0.5, 0.95, 0.99, 1])(
    "says of any mixture how long a part of it took at most (%d), a twentieth or 1 ms wrong",
    (part) => {
      const all = Array.from({ length: 5_000 }, (_, n) => ((n * 7_919) % 5_003) ** 2 / 3);
      const durations: number[] = [];
      for (const ms of all) addDuration(durations, ms);
      const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * part) - 1] ?? 0;
      expect(Math.abs((percentile(durations, part) ?? 0) - exact)).toBeLessThanOrEqual(Math.max(1, exact * 0.0495));
    },
  );

  it("has a bound, and says nothing of nothing", () => {
    const durations: number[] = [];
    for (const ms of [0, 0.5, 1e9, 1e15, Number.MAX_SAFE_INTEGER]) addDuration(durations, ms);
    expect(durations.filter(() => true)).toEqual([2, 3]);
    expect([percentile(durations, 0.5), percentile([], 0.5)]).toEqual([expect.any(Number), null]);
    expect(percentile(durations, 1)).toBeLessThan(1.1 * DAY_MS);
  });
});

it("has each minute of an hour: what passed, 0 where nothing did, and null where nobody counted", async () => {
  await pass(2 * MINUTE_MS);
  await accept();
  const { seq } = await accept();
  await deliver(seq);
  figures.took("hotbags", 200, ACCOUNT);
  figures.failed("timeout", ACCOUNT);
  figures.failed("timeout", ACCOUNT);
  await pass(MINUTE_MS);
  await accept();
  const { at, step_s, from, ...hour } = await series("hour");
  expect([at.length, step_s, at[0], at[1]]).toEqual([60, 60, Date.parse(from) / 1_000, Date.parse(from) / 1_000 + 60]);
  expect(hour.messages_in.slice(-5)).toEqual([null, 0, 0, 2, 1]);
  expect(hour.waiting.slice(-5)).toEqual([null, 0, 0, 2, 2]);
  expect(hour.failures).toEqual({ timeout: [...Array(56).fill(null), 0, 0, 2, 0] });
  expect(hour.hops.hotbags.p95_ms.slice(-2)).toEqual([expect.closeTo(200, -1), null]);
  expect(hour.total).toMatchObject({
    messages_in: 3,
    waiting: 2,
    failures: { timeout: 2 },
    hops: { whole: { p50_ms: null } },
  });
});

it.each([
  ["hour", 60],
  ["day", 300],
  ["week", 3_600],
  ["month", 7_200],
] as const)(
  "rolls up: the %s has points of %d s, whose percentiles are of all that passed in them",
  async (range, step) => {
    clock.jump(step * SECOND_MS - (clock.now() % (step * SECOND_MS)));
    for (const ms of [10, 10, 10, 5_000]) figures.took("whole", ms, ACCOUNT);
    await pass(MINUTE_MS);
    for (let n = 0; n < 96; n += 1) figures.took("whole", 5_000, ACCOUNT);
    await pass(MINUTE_MS);
    const { at, step_s, hops, messages_in } = await series(range);
    expect([step_s, (at[1] ?? 0) - (at[0] ?? 0), at.length <= 400, messages_in.length]).toEqual([
      step,
      step,
      true,
      at.length,
    ]);
    if (range === "hour")
      return expect(hops.whole.p50_ms.slice(-3)).toEqual([expect.closeTo(10, -0.5), expect.closeTo(5_000, -3), null]);
    expect(hops.whole.p50_ms.at(-1)).toBeGreaterThan(4_700);
  },
);

it("counts the replies that went out, and what ended otherwise, as the database has them", async () => {
  const { seq } = await accept();
  const command = { commandId: "c1", type: "send_text", text: "hi", payload: "{}", refusal: null };
  const [sent] = await store.messages.delivered(seq, 200, "{}", [
    command,
    { ...command, commandId: "c2", refusal: { state: "failed", reason: "no" } },
  ]);
  await store.commands.sending(sent?.id ?? 0, null);
  await store.commands.settled(sent?.id ?? 0, "sent", { reason: null, whatsappMessageId: "W" });
  const dead = await accept();
  await store.messages.dead(dead.seq, 400, "it was refused", 5);
  await pass(MINUTE_MS);
  expect((await series("hour")).total).toMatchObject({
    ...{ messages_in: 2, replies_out: 1 },
    failures: { "dead-letter": 1, "reply-failed": 1 },
  });
});

it("survives a restart, and loses by a crash at most the minute that runs", async () => {
  await accept();
  await pass(MINUTE_MS);
  await accept();
  await pass(20 * SECOND_MS);
  crash(3 * MINUTE_MS);
  await accept();
  await pass(MINUTE_MS);
  expect(await last("hour", 6)).toEqual([1, null, null, null, 1, 0]);
  await accept();
  await figures.stop();
  crash(10 * SECOND_MS);
  await accept();
  // A step that goes on after a clean stop has both.
  await pass(MINUTE_MS);
  expect(await last("hour", 4)).toEqual([null, 1, 2, 0]);
  expect(await last("week", 1)).toEqual([4]);
  store.close();
  const view = viewStore(dir, clock);
  expect((await readSeries(view.figures, "hour", clock.now())).messages_in.slice(-2)).toEqual([2, null]);
  view.close();
  start();
});

describe("the clock", () => {
  it("costs nothing when it leaps ahead and is set right again, and leaves nothing for that time to come", async () => {
    await accept();
    await pass(MINUTE_MS);
    clock.jump(DAY_MS);
    await accept();
    await pass(2 * MINUTE_MS);
    clock.jump(-DAY_MS);
    await accept();
    await pass(MINUTE_MS);
    expect(await last("hour", 6)).toEqual([null, 1, null, null, 1, 0]);
    crash(DAY_MS);
    expect(await last("day", 3)).toEqual([null, null, 0]);
  });

  it("has what came last of a time that it shows twice", async () => {
    for (let n = 0; n < 5; n += 1) {
      await accept();
      await pass(MINUTE_MS);
    }
    clock.jump(-3 * MINUTE_MS);
    await pass(MINUTE_MS);
    expect(await last("hour", 4)).toEqual([1, 1, 0, 0]);
    clock.jump(2 * MINUTE_MS);
    await pass(0);
    expect(await last("hour", 6)).toEqual([1, 1, 0, 1, 1, 0]);
  });

  it("does not hide what is there, nor make it grow, however it leaps", async () => {
    for (let n = 0; n < 60; n += 1) {
      clock.jump(((n * 7_919) % 1_009) * DAY_MS * (n % 2 === 0 ? 1 : -1));
      clock.advance(MINUTE_MS);
    }
    await pass(0);
    expect(rows()).toBeLessThanOrEqual(122);
    clock.jump(Date.parse("2026-03-01T15:00:00Z") - clock.now());
    await accept();
    await pass(MINUTE_MS);
    expect(await last("hour", 2)).toEqual([1, 0]);
  });

  it("keeps two days of minutes and 40 of hours, and writes over what is older", async () => {
    const began = clock.now() / SECOND_MS;
    for (let minute = 0; minute < 3_000; minute += 1)
      void store.figuresOf(ACCOUNT).add(began + minute * 60, emptyTally(), began + (minute - 1) * 60, null);
    for (let hour = 0; hour < 1_000; hour += 1)
      void store.figuresOf(ACCOUNT).add(began + hour * 3_600, emptyTally(), began + (hour - 1) * 3_600, null);
    await pass(0);
    expect(rows()).toBeLessThanOrEqual(2_880 + 960);
    expect(await store.figures.between(3_600, 0, 1e11)).toHaveLength(960);
  });
});

it("costs no message of the same turn where it can't be written, and of what can't be read that step", async () => {
  await accept();
  await pass(MINUTE_MS);
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("CREATE TRIGGER no BEFORE INSERT ON figures BEGIN SELECT RAISE(ABORT, 'no'); END");
  clock.advance(MINUTE_MS);
  expect(await store.messages.accept(messageOf("same-turn", ANNA))).toMatchObject({ duplicate: false });
  expect(store.outage).toBeNull();
  await until("it is said", () => lines.length > 0);
  expect(lines).toEqual([expect.stringContaining("the figures of a minute are lost")]);
  other.exec("DROP TRIGGER no");
  await pass(MINUTE_MS);
  expect(await last("hour", 4)).toEqual([1, null, 1, 0]);
  other.exec("UPDATE figures SET tally = 'x' WHERE place < 2880");
  expect(await last("hour", 4)).toEqual([null, null, null, 0]);
  other.close();
  // The hour that can't be read is begun anew.
  await accept();
  await pass(MINUTE_MS);
  expect(await last("hour", 2)).toEqual([1, 0]);
});

it("says nothing of its own while the database can't be written: the outage has its line", async () => {
  const other = new Database(join(dir, "bridge.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  clock.advance(MINUTE_MS);
  await expect(accept()).rejects.toThrow(StoreUnwritableError);
  other.exec("ROLLBACK");
  other.close();
  await until("it can be written again", () => store.outage === null);
  await pass(MINUTE_MS);
  expect(await last("hour", 3)).toEqual([null, 0, 0]);
  expect(lines).toEqual([]);
});
