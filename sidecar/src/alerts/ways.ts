import type { Logger } from "pino";
import type { Clock, Timers } from "../clock.ts";
import { Deliveries, type Waiting } from "./deliveries.ts";
import type { Channel } from "./notice.ts";
import { type Tested, tested, testNotice } from "./test-notice.ts";

export interface WaysParts {
  channels: readonly Channel[];
  clock: Clock;
  timers: Timers;
  /** The time that has surely passed, ms. */
  provenNow(): number;
  log: Logger;
  random: () => number;
}

/** The ways to the operator that are set: one queue for each, whoever the alerts in it are of. */
export class Ways {
  readonly #parts: WaysParts;
  #channels: readonly Channel[];
  #deliveries: ReadonlyMap<string, Deliveries>;
  /** Ways that are given up. */
  readonly #ending: Promise<void>[] = [];

  constructor(parts: WaysParts) {
    this.#parts = parts;
    this.#channels = parts.channels;
    this.#deliveries = this.#open();
  }

  /** By the settings that they come from. */
  get names(): readonly string[] {
    return [...this.#deliveries.keys()];
  }

  /** How they are. */
  get status() {
    return [...this.#deliveries.values()].map(({ status }) => status);
  }

  /** From now on these are the ways; what waits goes by the one of the same name. */
  adopt(channels: readonly Channel[]): void {
    const before = this.#deliveries;
    this.#channels = channels;
    this.#deliveries = this.#open();
    for (const [name, old] of before) {
      const { waiting } = old;
      this.#ending.push(old.close());
      for (const notice of waiting) this.add(name, notice);
    }
  }

  /** Where that way is not set any more there is nothing left to do. */
  add(name: string, waiting: Waiting): void {
    const deliveries = this.#deliveries.get(name);
    if (deliveries) deliveries.add(waiting);
    else waiting.done();
  }

  /** Somebody else goes on with these. Resolves when none of them is under way. */
  async withdraw(those: ReadonlySet<Waiting>): Promise<void> {
    await Promise.all([...this.#deliveries.values()].map((deliveries) => deliveries.withdraw(those)));
  }

  /** Tries every way with a notice that says it is a test. */
  async test(): Promise<Tested[]> {
    const { clock, log } = this.#parts;
    const notice = testNotice(clock.now());
    log.warn({ alert: "test", alert_id: notice.id }, notice.text);
    const all = this.#channels.map((channel) => tested(channel.name, (signal) => channel.send(notice, signal)));
    return [{ channel: "log", ok: true, reason: null }, ...(await Promise.all(all))];
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    const ending = [...this.#deliveries.values()].map((deliveries) => deliveries.close());
    await Promise.all([...ending, ...this.#ending]);
  }

  #open(): ReadonlyMap<string, Deliveries> {
    return new Map(this.#channels.map((channel) => [channel.name, new Deliveries({ ...this.#parts, channel })]));
  }
}
