import { describe, expect, it } from "vitest";
import type { Connection, Downtime } from "../store/index.ts";
import { look, type Sighting } from "./window.ts";

const MIN = 60_000;
const HOUR = 60 * MIN;
/** Any instant will do; all times below are ms after it. */
const T0 = Date.UTC(2026, 2, 3, 1, 0, 0);

type Look = Partial<Omit<Sighting, "now" | "uptimeMs">> & { at: number; clock?: number; uptime?: number };

/** Looks at ms after T0, by a clock that is `clock` ms off, in one run of the sidecar unless `reload` says otherwise. */
function looks(...given: Look[]) {
  let known: Connection | null = null;
  const downtimes: Downtime[] = [];
  let before: Omit<Sighting, "now" | "uptimeMs"> = {
    state: "connected",
    processId: "a",
    startedAt: T0 - HOUR,
    connectedAt: T0 - HOUR,
    lastInboundAt: null,
    lastDisconnect: null,
    reconnectAttempts: 0,
  };
  for (const { at, clock = 0, uptime = at, ...changes } of given) {
    before = { ...before, ...changes };
    const seen = look(known, { ...before, now: T0 + at + clock, uptimeMs: uptime });
    known = seen.connection;
    if (seen.downtime) downtimes.push(seen.downtime);
  }
  return { known: known as Connection | null, downtimes: downtimes.map(relative) };
}

function relative({ from, to, clockJumpMs }: Downtime) {
  return { from: from === null ? null : from - T0, to: to - T0, ...(clockJumpMs && { clockJumpMs }) };
}

const away = (at: number, more: object = {}): Look => ({
  at,
  state: "away",
  lastDisconnect: { at: T0 + at - 1_000, status: 428 },
  reconnectAttempts: 1,
  ...more,
});
const back = (at: number, more: object = {}): Look => ({
  at: at + 2_000,
  state: "connected",
  connectedAt: T0 + at,
  ...more,
});
const newProcess = { processId: "b", lastDisconnect: null, reconnectAttempts: 0, lastInboundAt: null };

describe("a downtime", () => {
  const cases: [string, Look[], object[]][] = [
    ["none at the first look", [{ at: 0 }], []],
    ["none while the connection is the same", [{ at: 0 }, { at: 3_000 }, { at: 10 * HOUR }], []],
    [
      "none after a restart of the gateway within 60 s",
      [{ at: 0 }, back(60_000, { ...newProcess, startedAt: T0 + 40_000 })],
      [],
    ],
    [
      "a new gateway process: from the last look to 60 s before its first connect",
      [{ at: 0 }, { at: 3_000 }, back(20 * MIN, { ...newProcess, startedAt: T0 + 19 * MIN })],
      [{ from: 3_000, to: 19 * MIN }],
    ],
    [
      "a start of the account in the same process, such as channels.start, remembers as little",
      [
        { at: 0, lastInboundAt: T0 - MIN },
        away(6_000),
        back(10 * MIN, { startedAt: T0 + 9 * MIN, lastInboundAt: null }),
      ],
      [{ from: 5_000, to: 9 * MIN }],
    ],
    [
      "also where its status still names a message of an earlier start",
      [{ at: 0, startedAt: T0 - MIN, lastInboundAt: T0 - HOUR }, away(6_000), back(10 * MIN)],
      [{ from: 5_000, to: 9 * MIN }],
    ],
    [
      "none when the same start reconnects within 19 minutes, and took something in before",
      [{ at: 0, lastInboundAt: T0 - MIN }, away(6_000), back(19 * MIN)],
      [],
    ],
    [
      "the same start, away for longer than it catches up",
      [{ at: 0, lastInboundAt: T0 - MIN }, away(6_000), back(30 * MIN)],
      [{ from: 5_000, to: 11 * MIN }],
    ],
    [
      "the same start on a quiet night: only 60 s are caught up",
      [{ at: 0, startedAt: T0 - 9 * HOUR, lastInboundAt: T0 - 2 * HOUR }, away(6_000), back(5 * MIN)],
      [{ from: 5_000, to: 4 * MIN }],
    ],
    [
      "the same start that never took anything in: only 60 s are caught up",
      [{ at: 0 }, away(6_000), back(5 * MIN)],
      [{ from: 5_000, to: 4 * MIN }],
    ],
    [
      "begins at the first break, whatever the later attempts report",
      [{ at: 0 }, away(6_000), away(90_000, { reconnectAttempts: 4 }), back(5 * MIN)],
      [{ from: 5_000, to: 4 * MIN }],
    ],
    [
      "a connection that fell silent was dead for up to 50 s before it was noticed",
      [
        { at: 0 },
        { at: MIN },
        away(MIN + 3_000, { lastDisconnect: { at: T0 + MIN + 1_000, status: 408 } }),
        back(5 * MIN),
      ],
      [{ from: 10_000, to: 4 * MIN }],
    ],
    [
      "but was alive when the last message came",
      [
        { at: 0, startedAt: T0 - 9 * HOUR, lastInboundAt: T0 + 40_000 },
        { at: MIN },
        away(MIN + 3_000, { lastDisconnect: { at: T0 + MIN + 1_000, status: 408 } }),
        back(3 * HOUR),
      ],
      [{ from: 40_000, to: 3 * HOUR - MIN }],
    ],
    [
      "none when OpenClaw's watchdog renews a quiet connection",
      [{ at: 0 }, { at: 3_000, state: "away" }, back(15_000)],
      [],
    ],
    [
      "after a logout nothing is caught up",
      [
        { at: 0 },
        { at: 3_000, state: "taken" },
        { at: 6_000, state: "away" },
        back(40_000, { startedAt: T0 + 30_000 }),
      ],
      [{ from: 0, to: 40_000 }],
    ],
    [
      "over several starts that never connected it is one",
      [
        { at: 0 },
        { at: 2 * MIN, state: "away", ...newProcess, startedAt: T0 + MIN, connectedAt: null },
        { at: 4 * MIN, processId: "c", startedAt: T0 + 3 * MIN },
        back(10 * MIN, { processId: "d", startedAt: T0 + 9 * MIN }),
        { at: 11 * MIN },
      ],
      [{ from: 0, to: 9 * MIN }],
    ],
    [
      "each is reported once",
      [
        { at: 0 },
        back(5 * MIN, { ...newProcess, startedAt: T0 + 4 * MIN }),
        { at: 6 * MIN },
        { at: 7 * MIN },
        back(20 * MIN, { processId: "c", startedAt: T0 + 19 * MIN }),
        { at: 21 * MIN },
      ],
      [
        { from: 0, to: 4 * MIN },
        { from: 7 * MIN, to: 19 * MIN },
      ],
    ],
    [
      "of several days",
      [{ at: 0 }, back(72 * HOUR, { ...newProcess, startedAt: T0 + 72 * HOUR - MIN })],
      [{ from: 0, to: 72 * HOUR - MIN }],
    ],
  ];
  it.each(cases)("%s", (_what, given, expected) => {
    expect(looks(...given).downtimes).toEqual(expected);
  });
});

describe("a restart of the sidecar", () => {
  /** What comes back from the disk. */
  const stored = (): Connection => {
    const { known } = looks({ at: 0 });
    if (!known) throw new Error("nothing is known");
    return { ...known, aliveUptimeMs: null };
  };
  const sighting = (changes: Partial<Sighting>): Sighting => ({
    ...{ state: "connected", processId: "a", startedAt: T0 - HOUR, connectedAt: T0 - HOUR, lastInboundAt: null },
    ...{ lastDisconnect: null, reconnectAttempts: 0, now: T0 + HOUR, uptimeMs: 5 },
    ...changes,
  });

  it("is no downtime while the gateway stayed connected, however long it took and wherever the clock went", () => {
    for (const now of [T0 - 5 * HOUR, T0 + 1, T0 + 100 * HOUR])
      expect(look(stored(), sighting({ now }))).toMatchObject({ downtime: null, reconnected: false });
  });

  it("with one of the gateway: the downtime begins with the last record", () => {
    const seen = look(stored(), sighting({ processId: "b", startedAt: T0 + 50 * MIN, connectedAt: T0 + 51 * MIN }));
    expect(seen.downtime).toEqual({ from: T0, to: T0 + 50 * MIN, clockJumpMs: 0 });
  });

  it("with a reconnect that nobody saw: all that nobody saw counts", () => {
    const lastDisconnect = { at: T0 + 49 * MIN, status: 428 };
    const seen = look(stored(), sighting({ connectedAt: T0 + 50 * MIN, lastDisconnect, reconnectAttempts: 1 }));
    expect(seen.downtime).toEqual({ from: T0, to: T0 + 49 * MIN, clockJumpMs: 0 });
  });

  it("and a clock that was set back: since when is not known, and it is told all the same", () => {
    const later = { processId: "b", startedAt: T0 - 31 * MIN, connectedAt: T0 - 30 * MIN, now: T0 - 29 * MIN };
    expect(look(stored(), sighting(later)).downtime).toEqual({ from: null, to: T0 - 31 * MIN, clockJumpMs: 0 });
  });
});

describe("a clock that jumps", () => {
  it("makes no downtime while the connection is the same", () => {
    expect(looks({ at: 0 }, { at: 3_000, clock: 5 * HOUR }, { at: 6_000, clock: -5 * HOUR }).downtimes).toEqual([]);
  });

  it("back, hides none: it is told by the time that has passed, in the clock of now", () => {
    const restarted = { ...newProcess, startedAt: T0 - 11 * MIN };
    const { downtimes } = looks(
      { at: 0 },
      { at: 32 * MIN, clock: -40 * MIN, ...restarted, connectedAt: T0 - 10 * MIN },
    );
    expect(downtimes).toEqual([{ from: -40 * MIN, to: -11 * MIN }]);
  });

  it("back, just before the look: none goes on into the future", () => {
    const restarted = { ...newProcess, startedAt: T0 + 8 * MIN, connectedAt: T0 + 9 * MIN };
    const { downtimes } = looks({ at: 0 }, { at: 10 * MIN, clock: -HOUR, ...restarted });
    expect(downtimes).toEqual([{ from: -HOUR, to: -51 * MIN }]);
  });

  it("back, makes none of a short restart", () => {
    const restarted = { ...newProcess, startedAt: T0 - HOUR + 10_000, connectedAt: T0 - HOUR + 20_000 };
    expect(looks({ at: 0 }, { at: 22_000, clock: -HOUR, ...restarted }).downtimes).toEqual([]);
  });

  it("forward, is believed, because a machine that was paused looks the same, and is said", () => {
    const reconnected = { connectedAt: T0 + HOUR + 4_000, lastDisconnect: null };
    const { downtimes } = looks({ at: 0 }, { at: 5_000, clock: HOUR, ...reconnected });
    expect(downtimes).toEqual([{ from: 0, to: HOUR + 4_000 - MIN, clockJumpMs: HOUR }]);
  });
});
