import { codeOf, LogThrottle, VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { Agent, interceptors } from "undici";
import type { Attempt } from "./notice.ts";

/** Between two pings, ms. */
const EVERY_MS = 60_000;

/** How long one may take, ms: the next one is not held up. */
const PING_MS = 15_000;

const MAX_REDIRECTS = 3;

/** What is read of an answer, bytes: only its status counts. */
const MAX_ANSWER_BYTES = 64 * 1024;

interface HeartbeatParts {
  /** `ALERT_HEARTBEAT_URL`; it holds a secret, and is never logged. Null: there is none. */
  url: URL | null;
  /** Whether all is well. Never rejects. */
  isHealthy(): Promise<boolean>;
  log: Logger;
  everyMs?: number;
}

/**
 * Says once a minute that all is well, to somebody who tells the operator when that stops (healthchecks.io, Uptime Kuma):
 * a machine that is dead can't. While something is wrong it says nothing.
 */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  #url: URL | null;
  readonly #agent = new Agent({ connections: 1 });
  readonly #following = this.#agent.compose(interceptors.redirect({ maxRedirections: MAX_REDIRECTS }));
  readonly #closing = new AbortController();
  readonly #throttle = new LogThrottle({ everyMs: Number.POSITIVE_INFINITY });
  #timer: NodeJS.Timeout | undefined;
  #pinging: Promise<void> | null = null;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#url = parts.url;
  }

  /** Whether there is an address. */
  get isSet(): boolean {
    return this.#url !== null;
  }

  /** Takes a changed address over. */
  adopt(url: URL | null): void {
    this.#url = url;
  }

  /** Pings from now on, and at once if all is well. */
  start(): void {
    this.#timer = setInterval(() => this.#beat(), this.#parts.everyMs ?? EVERY_MS);
    this.#beat();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#pinging;
    await this.#agent.destroy();
  }

  /** One ping, whatever is the case. Never rejects. */
  async ping(signal: AbortSignal): Promise<Attempt> {
    if (!this.#url) return { ok: false, passes: false, why: "ALERT_HEARTBEAT_URL is not set" };
    const { origin, pathname, search } = this.#url;
    const headers = { "user-agent": `hotbags-bridge/${VERSION}` };
    try {
      const answer = await this.#following.request({ origin, path: pathname + search, method: "GET", headers, signal });
      await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
      const { statusCode: status } = answer;
      if (status >= 200 && status < 300) return { ok: true };
      return {
        ok: false,
        passes: status >= 500,
        why: `the answer was ${status}; see whether ALERT_HEARTBEAT_URL is right`,
      };
    } catch (error) {
      // The code alone: undici's messages can hold the address.
      return { ok: false, passes: true, why: signal.aborted ? "no answer in time" : codeOf(error) || "it failed" };
    }
  }

  #beat(): void {
    if (this.#url === null || this.#pinging) return;
    this.#pinging = this.#pingIfHealthy().finally(() => {
      this.#pinging = null;
    });
  }

  async #pingIfHealthy(): Promise<void> {
    if (!(await this.#parts.isHealthy()) || this.#closing.signal.aborted) return;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(PING_MS)]);
    const attempt = await this.ping(signal);
    if (!this.#closing.signal.aborted) this.#say(attempt);
  }

  #say(attempt: Attempt): void {
    const { log } = this.#parts;
    if (!attempt.ok) this.#throttle.log(() => log.warn(`the heartbeat is not heard: ${attempt.why}`), attempt.why);
    else if (this.#throttle.over()) log.info("the heartbeat is heard again");
  }
}
