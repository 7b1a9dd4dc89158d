import { backoffMs } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Gateway } from "./types.ts";

/** All in ms. */
export interface StarterTiming {
  /** How often the accounts are looked at, besides at each change. */
  readonly lookMs: number;
  /** An account counts as given up on when it has been stopped for this long: a gateway that starts says so for a moment. */
  readonly settleMs: number;
  /** The wait after the first start of an account; it doubles with each further one, up to `maxWaitMs`. */
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
}

const TIMING: StarterTiming = { lookMs: 5_000, settleMs: 5_000, firstWaitMs: 15_000, maxWaitMs: 300_000 };

interface Attempt {
  notBefore: number;
  /** 0: seen stopped, not started yet. */
  starts: number;
}

/**
 * Starts an account that OpenClaw has given up on. It does so after twelve failed reconnects to WhatsApp, and after three unclean
 * starts of the gateway within five minutes ("restart-loop breaker"); nothing in OpenClaw starts it again. An account that was logged
 * out or replaced is left alone: a start would not help, the operator must act.
 */
export class ChannelStarter {
  readonly #gateway: Gateway;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timing: StarterTiming;
  /** Accounts that are or were stopped, until they have stayed up for as long as the last wait. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;

  constructor(parts: { gateway: Gateway; clock: Clock; log: Logger }, timing: StarterTiming = TIMING) {
    this.#gateway = parts.gateway;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#timing = timing;
    this.#timer = setInterval(() => this.#look(), timing.lookMs);
    this.#unsubscribe = parts.gateway.onChange(() => this.#look());
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  #look(): void {
    const now = this.#clock.uptimeMs();
    for (const [accountId, { code }] of this.#gateway.state.accounts) {
      const attempt = this.#attempts.get(accountId);
      if (code !== "stopped" && attempt?.starts === 0) this.#attempts.delete(accountId);
      else if (code === "stopped" && !attempt)
        this.#attempts.set(accountId, { notBefore: now + this.#timing.settleMs, starts: 0 });
      else if (!attempt || now < attempt.notBefore) continue;
      else if (code === "stopped") void this.#start(accountId, attempt, now);
      else if (code === "connected") this.#attempts.delete(accountId);
    }
  }

  async #start(accountId: string, before: Attempt, now: number): Promise<void> {
    const starts = before.starts + 1;
    const waitMs = backoffMs({ baseMs: this.#timing.firstWaitMs, maxMs: this.#timing.maxWaitMs }, starts);
    this.#attempts.set(accountId, { notBefore: now + waitMs, starts });
    const about = { account: accountId, next_attempt_ms: waitMs };
    this.#log.warn(about, "gateway: OpenClaw has given up on WhatsApp; starting it again");
    const outcome = await this.#gateway.startChannel(accountId);
    if (!outcome.started)
      this.#log.error({ ...about, alarm: true }, `gateway: WhatsApp was not started: ${outcome.reason}`);
  }
}
