import type { Logger } from "pino";
import type { Alert, Attempt } from "./alert.ts";
import { runCommand } from "./alert-command.ts";
import { Webhook } from "./alert-webhook.ts";

/** Where alerts go besides the log. */
export interface AlertSettings {
  /** `ALERT_WEBHOOK_URL`; it may hold a token and is never logged. */
  readonly webhookUrl: URL | null;
  /** `ALERT_COMMAND`; it may hold a token and is never logged. */
  readonly command: string | null;
}

/** All in ms. */
export interface AlertTiming {
  /** How long one attempt may take. */
  readonly timeoutMs: number;
  /** The waits between the attempts; after the last one it is given up. */
  readonly waitsMs: readonly number[];
}

const TIMING: AlertTiming = { timeoutMs: 15_000, waitsMs: [1_000, 10_000, 60_000, 300_000] };

type Way = (alert: Alert, signal: AbortSignal) => Promise<Attempt>;

/** Tells the operator: a log line with `alarm: true`, and the webhook and the command that are set. Nothing waits for it but its caller. */
export class Alerts {
  #ways: ReadonlyMap<string, Way> = new Map();
  readonly #log: Logger;
  readonly #timing: AlertTiming;
  #webhook: Webhook | null = null;
  readonly #closing = new AbortController();
  readonly #raising = new Set<Promise<boolean>>();

  constructor(settings: AlertSettings, log: Logger, timing: AlertTiming = TIMING) {
    this.#log = log;
    this.#timing = timing;
    this.adopt(settings);
  }

  /** Goes on with other ways. An alert that is on its way is tried again by them. */
  adopt({ webhookUrl, command }: AlertSettings): void {
    const former = this.#webhook;
    const webhook = webhookUrl && new Webhook(webhookUrl);
    this.#webhook = webhook;
    const ways = new Map<string, Way>();
    if (webhook) ways.set("ALERT_WEBHOOK_URL", (alert, signal) => webhook.post(alert, signal));
    if (command !== null) ways.set("ALERT_COMMAND", (alert, signal) => runCommand(command, alert, signal));
    this.#ways = ways;
    void former?.retire();
  }

  /** Resolves with true when it was delivered by every way that is set, or given up there; with false when the sidecar stopped before. Never rejects. */
  raise(alert: Alert): Promise<boolean> {
    this.#log.error({ alarm: true, alert: alert.kind, alert_id: alert.id, ...alert.details }, alert.text);
    const all = Promise.all([...this.#ways.keys()].map((name) => this.#deliver(alert, name)));
    const raising = all.then((ended) => ended.every(Boolean));
    this.#raising.add(raising);
    void raising.then(() => this.#raising.delete(raising));
    return raising;
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#raising);
    await this.#webhook?.close();
  }

  async #deliver(alert: Alert, name: string): Promise<boolean> {
    const about = { alert: alert.kind, alert_id: alert.id, by: name };
    for (const waitMs of [...this.#timing.waitsMs, null]) {
      const way = this.#ways.get(name);
      if (!way) return true;
      const attempt = await way(
        alert,
        AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timing.timeoutMs)]),
      );
      if (attempt.ok) {
        this.#log.info(about, "alert delivered");
        return true;
      }
      if (this.#closing.signal.aborted) return false;
      if (waitMs === null || !attempt.again) {
        this.#log.error(about, `alert not delivered: ${attempt.why}; given up, it is in this log only`);
        return true;
      }
      this.#log.warn({ ...about, next_attempt_ms: waitMs }, `alert not delivered: ${attempt.why}`);
      if (!(await this.#wait(waitMs))) return false;
    }
    return true;
  }

  /** False when the sidecar stops meanwhile. */
  #wait(ms: number): Promise<boolean> {
    const { signal } = this.#closing;
    if (signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(true), ms);
      const stop = () => done(false);
      const done = (waited: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        resolve(waited);
      };
      signal.addEventListener("abort", stop);
    });
  }
}
