import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OUTBOX_PATH } from "../../shared/src/outbox.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { Outbox, type OutboxOptions } from "../../sidecar/src/relay/outbox.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { ANNA, BEN } from "./message.ts";
import { type RealRelay, startRelay } from "./real-relay.ts";

// What Hot Bags sends without being asked: by the real store and HTTP client, on a clock that the test moves.

const MINUTE_MS = 60_000;
const OPTIONS: OutboxOptions = {
  ...{ mode: "any", path: OUTBOX_PATH, waitSeconds: 20 },
  ...{ knownMs: 24 * 60 * MINUTE_MS, newChatsPerDay: 10 },
};

let dir: string;
let clock: SimulatedClock;
let hotbags: HotBags;
let relay: RealRelay;
let outbox: Outbox;
let lines: Record<string, unknown>[];
let accounts: Set<string>;
let doubts: number[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-outbox-"));
  clock = new SimulatedClock();
  accounts = new Set(["default", "outlet"]);
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  await start();
});
afterEach(async () => {
  await stop();
  await hotbags.close();
  expect(hotbags.violations).toEqual([]);
  rmSync(dir, { recursive: true });
});

async function start(options: Partial<OutboxOptions> = {}) {
  relay = await startRelay({ dir, url: hotbags.url, clock, timers: clock });
  lines = [];
  doubts = [];
  const log = openLog("info", { write: (line: string) => void lines.push(JSON.parse(line)) });
  const { store, client, commandChats } = relay;
  outbox = new Outbox(
    {
      ...{ store, hotbags: client, clock, timers: clock, log, random: () => 0.5 },
      accounts: () => accounts,
      onCommands: (chat) => void commandChats.push(chat),
      onDoubt: (id) => void doubts.push(id),
    },
    { ...OPTIONS, ...options },
  );
  outbox.start();
}

async function stop() {
  await outbox.stop();
  await relay.stop();
}

const text = (id: string, to = ANNA, changes: object = {}) => ({
  ...{ command_id: id, type: "send_text", text: id, to, transport_session_id: "whatsapp:default" },
  ...changes,
});

/** All that wait, in the order in which they were taken. */
async function waiting(): Promise<string[]> {
  const { commands } = relay.store;
  const heads = await Promise.all((await commands.waitingChats()).map((chat) => commands.nextOf(chat)));
  return heads.flatMap((command) => command?.command_id ?? []);
}
const waits = (...ids: string[]) => until(`${ids} wait`, async () => (await waiting()).join() === ids.join());
const says = (what: RegExp) => until(`the log says ${what}`, () => lines.find(({ msg }) => what.test(String(msg))));
const asked = (times: number) => until(`it was asked ${times} times`, () => hotbags.outbox.polls.length >= times);
const isOpen = () => until("a question is open", () => hotbags.outbox.open === 1);

it("asks, is answered as soon as there is something, and goes on behind that, also after a restart", async () => {
  await isOpen();
  hotbags.outbox.put(text("a"), text("b", BEN));
  await waits("a", "b");
  await isOpen();
  await stop();
  hotbags.outbox.put(text("c", "+15550001003"));
  await start();
  await waits("a", "b", "c");
  expect(hotbags.outbox.polls.map(({ after }) => after)).toEqual(
    ["0", "2", "2", "3"].slice(0, hotbags.outbox.polls.length),
  );
  expect(relay.commandChats).toHaveLength(1);
  expect(outbox.status).toMatchObject({ mode: "any", problem: null });
});

it("takes a long list in pages", async () => {
  await isOpen();
  hotbags.outbox.put(...Array.from({ length: 250 }, (_, n) => text(`a${n}`)));
  await until("all are taken", async () => (await relay.store.counters()).outbound_taken === 250);
  await isOpen();
  expect(hotbags.outbox.polls.map(({ after }) => after)).toEqual(["0", "100", "200", "250"]);
});

it("asks nobody where it is off, and asks at once when it is switched on", async () => {
  await stop();
  const before = hotbags.outbox.polls.length;
  await start({ mode: "off" });
  hotbags.outbox.put(text("a"));
  clock.advance(60 * MINUTE_MS);
  expect(outbox.status).toMatchObject({ mode: "off", problem: null });
  expect(hotbags.outbox.polls).toHaveLength(before);
  outbox.adopt(OPTIONS);
  await waits("a");
  outbox.adopt({ ...OPTIONS, mode: "off" });
  await until("no question is open", () => hotbags.outbox.open === 0);
});

it("refuses what it may not send, says so, and goes on", async () => {
  outbox.adopt({ ...OPTIONS, mode: "known" });
  await isOpen();
  hotbags.outbox.put(text("a"), text("b", BEN, { transport_session_id: "whatsapp:other" }));
  await says(/command refused: the chat has not written within 24 h/);
  await says(/command refused: OpenClaw has no such WhatsApp account/);
  expect(await waiting()).toEqual([]);
  expect(await relay.store.counters()).toMatchObject({
    outbound_taken: 2,
    outbound_refused: 2,
    commands_failed: 2,
  });
});

it("asks nobody before OpenClaw has named its accounts", async () => {
  await stop();
  const before = hotbags.outbox.polls.length;
  accounts = new Set();
  await start();
  for (let seconds = 0; seconds < 60; seconds += 1) {
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(hotbags.outbox.polls).toHaveLength(before);
  accounts = new Set(["default"]);
  clock.advance(1_000);
  await isOpen();
});

it("leaves in the outbox what would be too much here", async () => {
  await isOpen();
  hotbags.outbox.put(...Array.from({ length: 1_150 }, (_, n) => text(`a${n}`)));
  await until("as much as fits is taken", async () => (await relay.store.outbound.waiting()) === 1_000);
  expect(hotbags.outbox.polls.at(-1)?.after).toBe("900");
  const [chat = 0] = await relay.store.commands.waitingChats();
  const next = await relay.store.commands.nextOf(chat);
  await relay.store.commands.sending(next?.id ?? 0, "boot");
  clock.advance(1_000);
  await until("it goes on", () => hotbags.outbox.polls.at(-1)?.after === "1000");
});

describe("what goes wrong", () => {
  const page = (value: unknown, headers: Record<string, string> = {}) => ({
    status: 200,
    headers: { "content-type": "application/json", ...headers },
    body: typeof value === "string" ? value : JSON.stringify(value),
  });
  const many = Array.from({ length: 101 }, (_, n) => text(`m${n}`));

  it.each<[string, Parameters<HotBags["outbox"]["next"]>[0], RegExp]>([
    ["is down", { status: 503 }, /Hot Bags answered 503/],
    ["breaks", "drop", /broke before the end/],
    [
      "is not there",
      { status: 404 },
      /answered 404 at .*\/outbox: correct HOTBAGS_OUTBOX_PATH, or set BRIDGE_OUTBOUND=off/,
    ],
    ["knows no such token", { status: 401 }, /check HOTBAGS_BEARER_TOKEN/],
    ["leads elsewhere", { redirect: "https://elsewhere.example/outbox" }, /redirects are never followed/],
    ["is a login's page", page("<html>login</html>", { "content-type": "text/html" }), /a web page/],
    ["is no JSON", page("nonsense"), /something that is not JSON at .*: nothing of it is taken/],
    ["says that it failed", page({ error: "no database" }), /JSON that says it failed/],
    ["gives too many at once", page({ cursor: "101", commands: many }), /must not have more than 100 entries/],
    ["gives commands without a cursor", page({ commands: [text("x")] }), /cursor: must be there/],
    ["gives no number for a cursor", page({ cursor: "zzz", commands: [text("x")] }), /cursor must be a whole number/],
    ["stands still", page({ cursor: "2", commands: [text("x")] }), /commands, but no further cursor/],
    ["runs backwards", page({ cursor: "0" }), /it runs backwards/],
    ["is endless", "endless-body", /more than 1048576 bytes/],
    ["cuts its answer off", "truncate", /broke before the end/],
    [
      "has answered with a bomb",
      { ...page(""), headers: { "content-encoding": "gzip" }, body: gzipSync(Buffer.alloc(2 ** 21)) },
      /once unpacked/,
    ],
  ])("an outbox that %s gives nothing, is asked again after a wait, and nothing is lost", async (_, fault, why) => {
    await isOpen();
    hotbags.outbox.put(text("a"));
    await waits("a");
    await isOpen();
    hotbags.outbox.next(...Array.from({ length: 2 }, () => fault));
    const polls = hotbags.outbox.polls.length;
    // What is open is answered; the next one meets the fault.
    hotbags.outbox.put(text("b", BEN));
    await says(why);
    expect(outbox.status.problem).toMatch(why);
    expect(await relay.store.outbound.cursorOf(OUTBOX_PATH)).toBe("2");
    hotbags.outbox.put(text("c", "+15550001003"));
    await until("it is well again", () => {
      clock.advance(MINUTE_MS);
      return outbox.status.problem === null;
    });
    await waits("a", "b", "c");
    await says(/the outbox of Hot Bags answers again/);
    expect(hotbags.outbox.polls.length).toBeGreaterThan(polls);
  });

  it("asks an end that is not there every few minutes only", async () => {
    await isOpen();
    hotbags.outbox.faultFor(() => true, { status: 404 }, Number.POSITIVE_INFINITY);
    hotbags.outbox.put(text("a"));
    await says(/answered 404/);
    const before = hotbags.outbox.polls.length;
    for (let minute = 0; minute < 4 * 60; minute += 1) {
      const known = hotbags.outbox.polls.length;
      const isDue = clock.advanceToNext(MINUTE_MS);
      if (isDue) await until("it was asked, or not yet due", () => hotbags.outbox.polls.length >= known);
    }
    expect(hotbags.outbox.polls.length - before).toBeLessThan(40);
  });

  it("one that does not wait is asked every few seconds only", async () => {
    hotbags.outbox.faultFor(() => true, page({}), Number.POSITIVE_INFINITY);
    outbox.adopt({ ...OPTIONS, waitSeconds: 19 });
    await until("it is answered", () => outbox.status.lastAnswerAt !== null);
    const before = hotbags.outbox.polls.length;
    clock.advance(4_999);
    expect(hotbags.outbox.polls.length).toBe(before);
    clock.advance(1);
    await asked(before + 1);
  });

  it("one that gives what is refused now and then is not asked less and less for it", async () => {
    /** It has answered, and rests. */
    const rests = () => until("it rests", () => outbox.status.lastAnswerAt === clock.now());
    const refused = { transport_session_id: "whatsapp:other" };
    for (let n = 0; n < 8; n += 1) {
      await isOpen();
      hotbags.outbox.next(page({}));
      clock.advance(1);
      const before = hotbags.outbox.polls.length;
      hotbags.outbox.put(text(`a${n}`, ANNA, refused));
      await rests();
      // The first of its waits each time.
      clock.advance(749);
      expect(hotbags.outbox.polls).toHaveLength(before);
      clock.advance(1);
      await asked(before + 1);
      await rests();
      clock.advance(5_000);
    }
    await isOpen();
    expect((await relay.store.counters()).outbound_refused).toBe(8);
  });

  it("one that has pauses without end is asked once a second", async () => {
    const pause = (id: string) => text(id, ANNA, { type: "pause_chat", for_seconds: 60, text: undefined });
    await isOpen();
    hotbags.outbox.next(...["10", "20", "30"].map((last) => page({ cursor: last, commands: [pause(last)] })));
    const begunAt = clock.uptimeMs();
    hotbags.outbox.put(text("a"));
    await until("all are taken", async () => {
      clock.advance(50);
      return (await relay.store.outbound.cursorOf(OUTBOX_PATH)) === "30";
    });
    expect(clock.uptimeMs() - begunAt).toBeGreaterThanOrEqual(2_000);
    // Nobody but the faults has given these.
    clock.advance(1_000);
    await until("it was asked for more", () => hotbags.outbox.polls.at(-1)?.after === "30");
    expect(hotbags.violations.splice(0)).toEqual(
      ["10", "20", "30"].map((last) => `outbox: nobody has given the cursor ${last}`),
    );
  });

  it("reads an answer that is compressed, and a cursor that is a number", async () => {
    await isOpen();
    hotbags.outbox.put(text("a"));
    await waits("a");
    await isOpen();
    const body = gzipSync(JSON.stringify({ cursor: 3, commands: [text("x", BEN)] }));
    hotbags.outbox.next({ status: 200, headers: { "content-encoding": "gzip" }, body });
    hotbags.outbox.put(text("b"));
    await until("it is taken", async () => (await relay.store.outbound.cursorOf(OUTBOX_PATH)) === "3");
    expect(await waiting()).toEqual(["a", "x"]);
    // Nobody but the fault has given that one.
    await until("it was asked for more", () => hotbags.violations.length > 0);
    expect(hotbags.violations.splice(0)).toEqual(["outbox: nobody has given the cursor 3"]);
  });

  it("takes nothing of an answer that comes when it was told to stop, and stops at once", async () => {
    await isOpen();
    hotbags.outbox.next("hang-after-processing");
    const before = hotbags.outbox.polls.length;
    hotbags.outbox.put(text("a"));
    await waits("a");
    await asked(before + 1);
    await stop();
    hotbags.outbox.put(text("b", BEN));
    await start();
    await waits("a", "b");
  });
});
