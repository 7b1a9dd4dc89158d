import type { Logger } from "pino";
import type { Clock } from "../clock.ts";
import type { Gateway } from "../gateway/index.ts";
import type { Store } from "../store/index.ts";
import { durationInWords, instantInWords } from "./local-time.ts";
import { isOpenAt, type OpeningHours, openMsBetween } from "./opening-hours.ts";

/** How often it is looked, ms. */
const LOOK_EVERY_MS = 60_000;

/** So long, ms, all must have been connected: what waited in the plugin or at WhatsApp comes first. */
const SETTLED_MS = 10 * 60_000;

/** After how much open time without a message the operator is told. */
export interface QuietLimits {
  /** Ms; 0: never. */
  afterMs: number;
  hours: OpeningHours;
}

interface QuietProblem {
  /** What is the case and what to do. */
  readonly text: string;
  /** When the last message came, wall-clock ms; null where none is known. */
  readonly lastAt: number | null;
  /** How long it had been quiet, of the opening hours, ms. */
  readonly quietMs: number;
}

interface Parts {
  store: Pick<Store, "look">;
  gateway: Pick<Gateway, "state">;
  isPluginConnected(): boolean;
  /** Told when it has become quiet, or messages come in again. */
  onChange(): void;
  clock: Clock;
  log: Logger;
  limits: QuietLimits;
}

/**
 * Notices that all is connected and nothing comes in, in hours in which customers write. Nobody can know
 * from here whether they are silent or not heard.
 *
 * How long it has been quiet is asked of the store, by the proven time: a restart does not begin it anew, and a clock
 * that jumps makes no hour of a minute. The wall clock says only which of that time was open.
 */
export class QuietWatch {
  #parts: Parts;
  readonly #startedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #connectedSinceMs: number | null = null;
  #problem: QuietProblem | null = null;
  #isKnown: boolean;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.uptimeMs();
    this.#isKnown = parts.limits.afterMs === 0;
  }

  /** Looks from now on. */
  start(): void {
    if (this.#parts.limits.afterMs > 0) this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Goes on with other limits; the same ones raise nothing again. */
  adopt(limits: QuietLimits): void {
    const { afterMs, hours } = this.#parts.limits;
    if (limits.afterMs === afterMs && limits.hours.text === hours.text) return;
    this.stop();
    this.#parts = { ...this.#parts, limits };
    this.#problem = null;
    this.start();
  }

  /** Why nothing may be heard of customers, for as long as all is connected; else null. */
  get problem(): QuietProblem | null {
    return this.#isConnected() ? this.#problem : null;
  }

  /** False while nobody can say: something is not connected, or was not long enough. */
  get isKnown(): boolean {
    return this.#isKnown && (this.#problem === null || this.#isConnected());
  }

  /** Never rejects: what can't be read is told by others. */
  async look(): Promise<void> {
    const parts = this.#parts;
    const { store, clock, limits, onChange } = parts;
    const isSettled = this.#isSettled();
    const now = clock.now();
    const look = await store.look().catch(() => null);
    // Other limits began anew meanwhile.
    if (look === null || this.#parts !== parts) return;
    const last = look.lastAccepted;
    const openMs = openMsBetween(limits.hours, now - (last?.agoMs ?? clock.uptimeMs() - this.#startedMs), now);
    if (openMs < limits.afterMs) return this.#over();
    this.#isKnown = this.#problem !== null;
    if (this.#problem !== null || !isOpenAt(limits.hours, now) || !isSettled) return;
    this.#problem = { text: this.#sentence(openMs, last?.at ?? null), lastAt: last?.at ?? null, quietMs: openMs };
    this.#isKnown = true;
    onChange();
  }

  #over(): void {
    this.#isKnown = true;
    if (this.#problem === null) return;
    this.#problem = null;
    this.#parts.log.info("messages come in again");
    this.#parts.onChange();
  }

  /** Where something is not connected there are other alarms, and another remedy. */
  #isSettled(): boolean {
    const now = this.#parts.clock.uptimeMs();
    this.#connectedSinceMs = this.#isConnected() ? (this.#connectedSinceMs ?? now) : null;
    return this.#connectedSinceMs !== null && now - this.#connectedSinceMs >= SETTLED_MS;
  }

  #isConnected(): boolean {
    const { gateway, isPluginConnected } = this.#parts;
    return isPluginConnected() && [...gateway.state.accounts.values()].some(({ code }) => code === "connected");
  }

  #sentence(openMs: number, lastAt: number | null): string {
    const since = lastAt === null ? "none is known" : `the last one came on ${instantInWords(lastAt)}`;
    return [
      `No message has come in for ${durationInWords(Math.floor(openMs / 60_000) * 60_000)} of the opening hours (${this.#parts.limits.hours.text}), though all is connected: ${since}.`,
      "Customers may be silent, or not be heard: write to the shop from a phone that may (allowFrom in OpenClaw's configuration), and see whether messages.accepted in GET /health grows.",
      "If it does not, restart the gateway, and look at the shop's phone for what customers wrote.",
    ].join(" ");
  }
}
