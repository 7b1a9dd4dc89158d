import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openLog } from "../../sidecar/src/log.ts";
import { HotBags } from "../../sidecar/src/relay/hotbags.ts";
import { Relay, relayOptions } from "../../sidecar/src/relay/relay.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { lateReads } from "../sidecar/late-reads.ts";
import { messageOf } from "../sidecar/message.ts";
import { answer, type Bytes, RawBackend, TAKEN } from "../sidecar/raw-backend.ts";
import { clientOptions } from "../sidecar/real-relay.ts";
import { SimulatedClock } from "../simulated-clock.ts";

// A random backend: what it answers depends on the message and on the time, in any mix. Whatever it is, nothing is
// lost, a chat's order holds unless a message stepped aside or was overtaken by its witness, POSTs are bounded, and every
// alarm is true.

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const CHATS = 3;
const ALWAYS = Number.POSITIVE_INFINITY;
/** The first waits are 0.5 s at least and double: no message is due more often in a minute by its own waits. */
const OWN_POSTS_A_MINUTE = 8;

const ANSWERS: readonly Bytes[] = [
  "cut",
  "SSH-2.0\r\n",
  answer("200 OK"),
  answer("200 OK", [], "ok"),
  answer("200 OK", ["Content-Type: text/html"], "<html>"),
  answer("200 OK", [], '{"success": false}'),
  answer("308 Permanent Redirect", ["Location: /elsewhere"]),
  answer("404 Not Found", ["x-vercel-error: DEPLOYMENT_NOT_FOUND"]),
  answer("429 Too Many Requests", ["Retry-After: 0"]),
  answer("429 Too Many Requests", ["Retry-After: 20"]),
  answer("503 Service Unavailable", ["Retry-After: -1"]),
  ...["400 Bad Request", "401 Unauthorized", "402 Payment Required", "403 Forbidden", "409 Conflict"].map((status) =>
    answer(status),
  ),
  ...["413 Payload Too Large", "422 Unprocessable Content", "425 Too Early", "500 Internal Server Error", "530"].map(
    (status) => answer(status),
  ),
];

const bytes = fc.constantFrom(...ANSWERS);
/** A stretch of time in which all, or the messages that a number falls on, get this. */
const weather = fc.record({
  seconds: fc.integer({ min: 1, max: 120 }),
  answer: fc.option(bytes, { freq: 2, nil: TAKEN }),
  share: fc.constantFrom(1, 1, 2, 3),
});
/** A message, some time after the one before; perhaps one that fails by itself, so often. */
const arrival = fc.record({
  chat: fc.nat(CHATS - 1),
  afterMs: fc.oneof(fc.constant(0), fc.nat(5 * SECOND_MS), fc.nat(60 * SECOND_MS)),
  poison: fc.option(fc.record({ answer: bytes, times: fc.constantFrom(1, 3, ALWAYS) }), { freq: 3 }),
});

interface Seen {
  at: number;
  text: string;
  passed: boolean;
}

type Line = Record<string, unknown> & { msg: string };
type RaisedAlarm = Line & { at: number; after: number };

class World {
  readonly dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "hotbags-model-backend-"));
  readonly clock = new SimulatedClock();
  readonly store = openStore(this.dir, this.clock);
  readonly seen: Seen[] = [];
  /** Alarms, each with when it was raised, and how many POSTs had been answered before. */
  readonly alarms: RaisedAlarm[] = [];
  readonly lines: Line[] = [];
  readonly client: HotBags;
  readonly relay: Relay;

  constructor(
    backend: RawBackend,
    answerTo: (text: string, at: number) => Bytes,
    random: () => number,
    readsAreLate: boolean,
  ) {
    backend.answerTo = (text) => {
      const at = this.clock.uptimeMs();
      const said = answerTo(text, at);
      this.seen.push({ at, text, passed: said === TAKEN });
      return said;
    };
    const note = (line: Line) => {
      this.lines.push(line);
      if (line["alarm"] === true) this.alarms.push({ ...line, at: this.clock.uptimeMs(), after: this.seen.length });
    };
    const log = openLog("info", { write: (line: string) => note(JSON.parse(line)) });
    this.client = new HotBags(clientOptions(backend.url));
    this.relay = new Relay(
      {
        store: readsAreLate ? lateReads(this.store, random) : this.store,
        ...{ hotbags: this.client, clock: this.clock, timers: this.clock, log, random },
        onCommands: () => {},
        onDoubt: () => {},
        alarm: ({ text, fault }) => log.error({ alarm: true, fault }, text),
      },
      relayOptions(24 * HOUR_MS),
    );
  }

  /** As often as the event loop turns: a history has thousands of steps. */
  async idle(): Promise<void> {
    while (this.relay.status.underWay > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  get took(): string[] {
    return this.seen.filter(({ passed }) => passed).map(({ text }) => text);
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.clock.uptimeMs() + ms; this.clock.uptimeMs() < end; await this.idle())
      this.clock.advanceToNext(end - this.clock.uptimeMs());
  }

  async takeIn(id: string, chat: number): Promise<void> {
    const accepted = await this.store.messages.accept(messageOf(id, `+1555000100${chat}`));
    this.relay.accepted(accepted);
  }

  async close(): Promise<void> {
    await this.relay.stop();
    await this.client.close();
    this.store.close();
    rmSync(this.dir, { recursive: true });
  }
}

/**
 * What had failed since a message passed, when the alarm was raised. Of what happened at that very instant the bridge had
 * not heard all: the answer to another POST may have been on its way.
 */
function failedSincePass({ seen }: World, alarm: RaisedAlarm): Seen[] {
  const before = seen.slice(0, alarm.after);
  const lastPass = before.findLastIndex(({ passed, at }) => passed && at < alarm.at);
  return before.slice(lastPass + 1).filter(({ passed }) => !passed);
}

function expectTrue(world: World): void {
  for (const alarm of world.alarms) {
    const id = alarm["message_id"];
    const failed = world.seen.slice(0, alarm.after).filter(({ text }) => text === id);
    if (alarm.msg.includes("dead letter")) expect(failed.length).toBeGreaterThan(0);
    else if (id === undefined) {
      // Of all: different messages have failed, and none has passed since.
      const said = /and (\d+) different messages have failed since one passed/.exec(alarm.msg);
      const different = new Set(failedSincePass(world, alarm).map(({ text }) => text)).size;
      expect(different, alarm.msg).toBeGreaterThanOrEqual(2);
      expect(Number(said?.[1])).toBeLessThanOrEqual(different);
    } else if (alarm.msg.includes("while others pass")) {
      // Of one: it has failed twice or more, and others have passed since the first time.
      expect(failed.length, alarm.msg).toBeGreaterThanOrEqual(2);
      const first = world.seen.indexOf(failed[0] as Seen);
      expect(world.seen.slice(first, alarm.after).some(({ text, passed }) => passed && text !== id)).toBe(true);
    } else {
      // Of one of which nobody knows more.
      expect(alarm.msg).toMatch(/it may be this one alone$/);
      expect(failed.length).toBeGreaterThan(0);
    }
  }
}

const numberOf = (text: string) => Number(text.slice(1));

/**
 * In a chat a message comes before those behind it, unless one of the two has stepped aside: the later one, too, can have
 * been found at fault itself when it was asked as a witness. Or it was asked as a witness, since the earlier one had failed
 * again and again, and passed because all was well by then: that one comes right after its witness.
 */
function expectOrder(seen: Seen[], aside: Set<unknown>): void {
  for (const [n, { text, passed }] of seen.entries()) {
    if (!passed || aside.has(text)) continue;
    const before = seen.slice(0, n);
    const overtaken = seen.slice(n + 1).filter((later) => later.passed && numberOf(later.text) < numberOf(text));
    for (const late of overtaken.filter((later) => !aside.has(later.text))) {
      expect(before.filter((earlier) => earlier.text === late.text).length, late.text).toBeGreaterThanOrEqual(2);
      const between = seen.slice(n + 1, seen.indexOf(late)).map((other) => numberOf(other.text));
      expect(Math.max(...between, 0), `${late.text} comes right after ${text}`).toBeLessThan(numberOf(text));
    }
  }
}

function expectBounded({ seen }: World): void {
  for (const [first, { at }] of seen.entries()) {
    const minute = seen.slice(first).filter((later) => later.at < at + 60 * SECOND_MS);
    const passes = minute.filter(({ passed }) => passed).length;
    const different = new Set(minute.map(({ text }) => text)).size;
    // Each hold has its probes, and each message that passes can end one hold and let those that wait try again.
    expect(minute.length).toBeLessThanOrEqual((different + 1) * (OWN_POSTS_A_MINUTE + passes));
  }
}

it.each([
  ["reads are answered at once", false],
  ["reads are answered late", true],
])(
  "whatever a backend answers, nothing is lost, order holds, POSTs are bounded, and every alarm is true: %s",
  async (_, readsAreLate) => {
    const backend = await new RawBackend().start();
    const property = fc.asyncProperty(
      fc.array(arrival, { minLength: 1, maxLength: 14 }),
      fc.array(weather, { maxLength: 5 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (arrivals, weathers, chance) => {
        const poisons = new Map(arrivals.map(({ poison }, n) => [`m${n}`, poison && { ...poison }]));
        const answerTo = (text: string, at: number): Bytes => {
          const poison = poisons.get(text);
          if (poison && poison.times-- > 0) return poison.answer;
          let end = 1_000;
          for (const { seconds, answer: said, share } of weathers) {
            end += seconds * SECOND_MS;
            if (at < end) return Number(text.slice(1)) % share === 0 ? said : TAKEN;
          }
          return TAKEN;
        };
        const world = new World(backend, answerTo, () => chance.next().value, readsAreLate);
        try {
          for (const [n, { chat, afterMs }] of arrivals.entries()) {
            await world.pass(afterMs);
            await world.takeIn(`m${n}`, chat);
          }
          await world.idle();
          const isDone = () =>
            [...poisons].every(([text, poison]) => poison?.times === ALWAYS || world.took.includes(text));
          for (let minutes = 0; !isDone() && minutes < 24 * 60; minutes++) await world.pass(60 * SECOND_MS);
          const { accepted, delivered, pending, dead } = await world.store.counters();
          expect([accepted, accepted - delivered - pending - dead]).toEqual([arrivals.length, 0]);
          const { took } = world;
          expect([new Set(took).size, took.length]).toEqual([delivered, delivered]);
          // Only what always fails is not delivered in the end.
          for (const [text, poison] of poisons) if (poison?.times !== ALWAYS) expect(took).toContain(text);
          const aside = new Set(world.lines.filter(({ detached }) => detached).map(({ message_id }) => message_id));
          for (let chat = 0; chat < CHATS; chat++)
            expectOrder(
              world.seen.filter(({ text }) => arrivals[numberOf(text)]?.chat === chat),
              aside,
            );
          expectTrue(world);
          expectBounded(world);
        } finally {
          await world.close();
        }
      },
    );
    try {
      await fc.assert(property, { numRuns: Number(process.env["BACKENDS"] ?? 60) });
    } finally {
      await backend.stop();
    }
  },
  180_000,
);
