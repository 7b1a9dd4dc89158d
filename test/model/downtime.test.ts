import fc from "fast-check";
import { expect, it } from "vitest";
import { look, type Sighting } from "../../sidecar/src/downtime/window.ts";
import type { Connection, Downtime } from "../../sidecar/src/store/index.ts";

// Random histories of a gateway that breaks, reconnects, restarts and is logged out, while a customer writes every 3 s. What OpenClaw then drops is
// decided here by the lines of its own code (WhatsApp plugin 2026.9.6: shouldSkipStaleAppend, isOpeningAfterRecentInbound, resolveCloseDecision),
// and compared with the downtimes that the sidecar works out from nothing but `channels.status`.

const TICK_MS = 3_000;
const MIN_MS = 60_000;
const T0 = Date.UTC(2026, 2, 3, 1, 0, 0);

type Event =
  | "drop"
  | "fall silent"
  | "fail to connect"
  | "connect"
  | "message"
  | "restart the gateway"
  | "start the channel"
  | "log out"
  | "stop the sidecar"
  | "start the sidecar";
type Step = { event: Event; ticks: number } | { jumpMs: number };

/** The gateway, WhatsApp's servers and the customer. */
class World {
  /** True time, ms since 1970; the machine's clock is `offMs` off. */
  at = T0;
  offMs = 0;
  /** Times of messages that OpenClaw dropped or never got. */
  readonly dropped: number[] = [];
  readonly delivered: number[] = [];
  #backlog: number[] = [];
  #process = 1;
  #startedAt = T0 - MIN_MS;
  #connectedAt: number | null = null;
  #handledAt: number | null = null;
  #attempts = 0;
  #lastDisconnect: { at: number; status: number } | null = null;
  #connected = false;
  /** True when it is connected by its own account only: the network is gone, and it will notice. */
  #silentSince: number | null = null;
  #taken = false;

  /** Nothing happens then but that it is noticed: see `look` for what ends in just these seconds. */
  get silent() {
    return this.#silentSince !== null;
  }

  get clock() {
    return this.at + this.offMs;
  }

  tick() {
    this.at += TICK_MS;
    if (this.#silentSince !== null && this.at - this.#silentSince >= 48_000) this.#close(408);
    if (this.#connected && this.#silentSince === null) this.delivered.push(this.at);
    else if (this.#taken) this.dropped.push(this.at);
    else this.#backlog.push(this.at);
  }

  happens(event: Event) {
    if (this.silent) return;
    if (event === "drop" && this.#connected) this.#close(428);
    else if (event === "fall silent" && this.#connected) this.#silentSince = this.at;
    else if (event === "fail to connect" && !this.#connected && !this.#taken) this.#fail();
    else if (event === "connect" && !this.#connected) this.#connect();
    else if (event === "message" && this.#connected) this.#handledAt = this.clock;
    else if (event === "restart the gateway") this.#start(++this.#process);
    else if (event === "start the channel" && !this.#connected) this.#start(this.#process);
    else if (event === "log out" && this.#connected) {
      this.#close(401);
      this.#taken = true;
      this.dropped.push(...this.#backlog.splice(0));
    }
  }

  seen(): Omit<Sighting, "uptimeMs"> {
    return {
      state: this.#connected ? "connected" : this.#taken ? "taken" : "away",
      processId: String(this.#process),
      startedAt: this.#startedAt,
      connectedAt: this.#connectedAt,
      lastInboundAt: this.#handledAt,
      lastDisconnect: this.#lastDisconnect,
      reconnectAttempts: this.#attempts,
      now: this.clock,
    };
  }

  #start(process: number) {
    this.#process = process;
    this.#startedAt = this.clock;
    [this.#connectedAt, this.#handledAt, this.#lastDisconnect] = [null, null, null];
    [this.#connected, this.#silentSince, this.#attempts] = [false, null, 0];
  }

  #close(status: number) {
    this.#connected = false;
    this.#silentSince = null;
    if (this.clock - (this.#connectedAt ?? 0) > MIN_MS) this.#attempts = 0;
    this.#attempts += 1;
    this.#lastDisconnect = { at: this.clock, status };
  }

  #fail() {
    this.#attempts += 1;
    this.#lastDisconnect = { at: this.clock, status: 500 };
  }

  #connect() {
    if (this.#taken) this.#start(this.#process); // linked anew
    const now = this.clock;
    const recent = this.#attempts > 0 && this.#handledAt !== null && now - this.#handledAt <= 4 * 30 * MIN_MS;
    const cutoff = recent ? now - 20 * MIN_MS : now - MIN_MS;
    for (const message of this.#backlog.splice(0)) {
      if (message < cutoff) this.dropped.push(message);
      else this.delivered.push(message);
      if (message >= cutoff) this.#handledAt = now;
    }
    [this.#connected, this.#connectedAt, this.#taken] = [true, now, false];
  }
}

/** The sidecar, which looks every 3 s while it runs. */
class Observer {
  readonly downtimes: Downtime[] = [];
  #known: Connection | null = null;
  #stored: Connection | null = null;
  #running = true;

  sees(world: World) {
    if (!this.#running) return;
    const seen = look(this.#known, { ...world.seen(), uptimeMs: world.at - T0 });
    this.#known = seen.connection;
    if (seen.downtime) this.downtimes.push(seen.downtime);
    const due = (this.#known?.aliveAt ?? 0) - (this.#stored?.aliveAt ?? 0) >= 15_000;
    if (due || seen.reconnected || this.#known?.state !== this.#stored?.state) this.#stored = this.#known;
  }

  /** Killed: what it last wrote is what it knows afterwards. */
  stop() {
    this.#running = false;
    this.#known = this.#stored && { ...this.#stored, aliveUptimeMs: null };
  }

  start() {
    this.#running = true;
  }
}

function run(history: readonly Step[]) {
  const world = new World();
  const observer = new Observer();
  world.happens("connect");
  const live = (ticks: number) => {
    for (let n = 0; n < ticks; n++) {
      world.tick();
      observer.sees(world);
    }
  };
  live(1);
  for (const step of history) {
    if ("jumpMs" in step) world.offMs += step.jumpMs;
    else if (step.event === "stop the sidecar" && !world.silent) observer.stop();
    else if (step.event === "start the sidecar") observer.start();
    else world.happens(step.event);
    live("ticks" in step ? step.ticks : 0);
  }
  observer.start();
  while (world.silent) live(1);
  world.happens("connect");
  live(2);
  return { dropped: world.dropped, delivered: world.delivered, downtimes: observer.downtimes };
}

/** From seconds to hours, with as many short ones as long ones. */
const ticks = fc.oneof(
  fc.integer({ min: 1, max: 25 }),
  fc.integer({ min: 15, max: 500 }),
  fc.integer({ min: 1, max: 3_000 }),
);
const steps = (...events: Event[]) => fc.record({ event: fc.constantFrom(...events), ticks });
const inTheGateway = [
  ...(["drop", "connect", "connect", "message", "message", "fail to connect"] as const),
  ...(["restart the gateway", "start the channel"] as const),
];
const RUNS = { numRuns: 300 };

const histories = (...events: Event[]) => fc.array(steps(...events), { maxLength: 25 });

it("hides no message that OpenClaw dropped, whatever happens to the gateway, the network and the sidecar", () => {
  // All but one thing: of a logout and a new link that the sidecar slept through, it can't know that nothing was caught up.
  const attended = histories(...inTheGateway, "log out", "fall silent");
  const unattended = histories(...inTheGateway, "fall silent", "stop the sidecar", "start the sidecar");
  fc.assert(
    fc.property(fc.oneof(attended, unattended), (given) => {
      const { dropped, downtimes } = run(given);
      const hidden = dropped.filter((at) => !downtimes.some(({ from, to }) => from !== null && from <= at && at <= to));
      expect(hidden).toEqual([]);
    }),
    RUNS,
  );
});

it("claims no more than what OpenClaw dropped, to less than a minute at either end, while the sidecar looks", () => {
  // Between two looks, and for how long a connection may have been dead before it was noticed, or a backlog takes.
  const SLACK_MS = { from: TICK_MS + 50_000, to: TICK_MS + MIN_MS };
  fc.assert(
    fc.property(histories(...inTheGateway, "log out"), (given) => {
      const { delivered, downtimes } = run(given);
      for (const { from, to } of downtimes) {
        const claimed = (at: number) => from !== null && from + SLACK_MS.from < at && at < to - SLACK_MS.to;
        expect(delivered.filter(claimed)).toEqual([]);
      }
    }),
    RUNS,
  );
});

it("neither invents nor hides a downtime when the clock is set back", () => {
  const outage = fc.record({
    awayTicks: fc.integer({ min: 1, max: 2_000 }),
    backMs: fc.integer({ min: 1, max: 10 * 3_600_000 }),
  });
  fc.assert(
    fc.property(outage, ({ awayTicks, backMs }) => {
      const { downtimes } = run([
        { event: "restart the gateway", ticks: Math.floor(awayTicks / 2) },
        { jumpMs: -backMs },
        { event: "message", ticks: Math.ceil(awayTicks / 2) },
        { event: "connect", ticks: 10 },
      ]);
      const awayMs = awayTicks * TICK_MS;
      const lengths = downtimes.map(({ from, to }) => to - (from ?? Number.NaN));
      if (Math.abs(awayMs - MIN_MS) <= TICK_MS) return; // between two looks
      if (awayMs < MIN_MS) expect(lengths).toEqual([]);
      else expect(lengths.map((ms) => Math.abs(ms - (awayMs - MIN_MS)) <= 2 * TICK_MS)).toEqual([true]);
    }),
    RUNS,
  );
});

it("tells of nothing while the connection stays, however the clock jumps", () => {
  const jump = fc.record({ jumpMs: fc.integer({ min: -36_000_000, max: 36_000_000 }) });
  const history = fc.array(fc.oneof(jump, steps("message", "stop the sidecar", "start the sidecar")), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(history, (given) => {
      expect(run(given).downtimes).toEqual([]);
    }),
    RUNS,
  );
});
