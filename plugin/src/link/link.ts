import { setTimeout as after } from "node:timers/promises";
import { backoffMs, LogThrottle, reasonOf } from "@hotbags/shared";
import type { LinkConfig } from "../host/config.ts";
import { guarded } from "../host/guard.ts";
import { type Log, line } from "../host/log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { Connection, type Ended, type LinkReport } from "./connection.ts";
import type { Observations } from "./observations.ts";
import { LINK_TIMING, type LinkTiming } from "./timing.ts";

export type LinkOptions = {
  config: LinkConfig;
  openclawVersion: string;
  /** The outbox, as long as it can be used. */
  outbox: () => Outbox | undefined;
  observations: Observations;
  log: Log;
  timing?: LinkTiming;
  random?: () => number;
  /** Is told how the link does. */
  report?: LinkReport;
};

const UNREPORTED: LinkReport = { up: () => {}, down: () => {}, acknowledged: () => {} };

/**
 * Keeps one connection to the sidecar, for ever: connects, lets the connection drain the outbox, and connects again
 * with backoff when it ends. Nothing here can lose a message; that is the outbox's to keep until the sidecar has
 * confirmed.
 */
export class Link {
  readonly #options: Required<LinkOptions>;
  readonly #stopping = new AbortController();
  readonly #downThrottle = new LogThrottle();
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LinkOptions) {
    this.#options = { timing: LINK_TIMING, random: Math.random, report: UNREPORTED, ...options };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** True while the sidecar has welcomed us. */
  get isUp(): boolean {
    return this.#connection?.isOpen ?? false;
  }

  /** A message became ready to send. */
  offer(seq: number): void {
    this.#connection?.offer(seq);
  }

  /** Observations were added; without a connection they wait for one. */
  flushObservations(): void {
    this.#connection?.flushObservations();
  }

  /** Closes the connection and waits until it is gone. Nothing of the link is left running. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { timing, random } = this.#options;
    const backoff = { baseMs: timing.reconnectBaseMs, maxMs: timing.reconnectMaxMs };
    const complain = guarded(
      (ended: Ended) => this.#complain(ended),
      () => undefined,
    );
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      const ended = await this.#connectOnce().catch(unexpected);
      if (ended.wasUseful) attempt = 0;
      if (this.#stopping.signal.aborted) return;
      complain(ended);
      // A wrong token heals by an operator's hand only: straight to the long wait.
      const waitMs = backoffMs(backoff, ended.isHopeless ? Number.POSITIVE_INFINITY : attempt + 1, random);
      await after(waitMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  async #connectOnce(): Promise<Ended> {
    const { log, outbox, report } = this.#options;
    const opened = outbox();
    if (opened === undefined) return { why: "the outbox cannot be used", wasUseful: false, isHopeless: false };
    const connection = new Connection({ ...this.#options, outbox: opened });
    this.#connection = connection;
    try {
      if (await connection.opened) {
        this.#downThrottle.over();
        report.up();
        log.info(line({}, `connected to the sidecar, ${waiting(opened)} message(s) wait`));
      }
      return await connection.ended;
    } finally {
      this.#connection = undefined;
      // It has ended, unless something above threw: nothing may be left behind beside the next one.
      await connection.close();
    }
  }

  #complain(ended: Ended): void {
    this.#options.report.down(ended.why);
    this.#downThrottle.log(() => {
      const left = waiting(this.#options.outbox());
      const say = `sidecar link is down: ${ended.why}; trying again, ${left} message(s) wait`;
      this.#options.log[ended.isHopeless ? "error" : "warn"](line({}, say));
    });
  }
}

/** Nothing that is known of: the link goes on as after any other end. */
function unexpected(error: unknown): Ended {
  return { why: reasonOf(error), wasUseful: false, isHopeless: false };
}

/** For the log, where a failing outbox is not the point. */
function waiting(outbox: Outbox | undefined): number | "unknown" {
  try {
    return outbox?.totals().waiting ?? "unknown";
  } catch {
    return "unknown";
  }
}
