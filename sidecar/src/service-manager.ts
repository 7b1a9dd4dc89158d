import { execFile } from "node:child_process";
import { LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Clock, systemClock, systemTimers, type Timers } from "./clock.ts";

/** A start that waits for something says so that often, ms, and asks for so much time more. */
const STARTING_EVERY_MS = 30_000;
const MORE_TIME_USEC = 120_000_000;

/**
 * A database that takes no writes for longer than this, ms, is opened anew by a new process. What that mends: a volume that was taken
 * away and is back, whose open files give errors for ever. A disk that is still full then is waited for in the start.
 */
const OUTAGE_PATIENCE_MS = 600_000;

/** systemd-notify takes some 5 ms. It is killed after this, ms. */
const NOTIFY_TIMEOUT_MS = 10_000;

interface ServiceManagerParts {
  environment: NodeJS.ProcessEnv;
  log: Logger;
  clock?: Pick<Clock, "uptimeMs">;
  timers?: Timers;
}

/**
 * Tells systemd how the sidecar is, where it runs it as a service with Type=notify, and feeds its watchdog; elsewhere does
 * nothing (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). By `systemd-notify`, which is on every
 * machine with systemd: the protocol is a datagram on a Unix socket, which Node can't send without native code.
 */
export class ServiceManager {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: Logger;
  readonly #clock: Pick<Clock, "uptimeMs">;
  readonly #timers: Timers;
  readonly #socket: string | undefined;
  /** A third of WatchdogSec, ms; null: there is no watchdog. */
  readonly #feedEveryMs: number | null;
  readonly #logThrottle = new LogThrottle();
  #callOff = () => {};
  #outageSince: number | null = null;
  /** One after the other, so that the last word is the last one said. */
  #said: Promise<void> = Promise.resolve();

  constructor({ environment, log, clock = systemClock, timers = systemTimers }: ServiceManagerParts) {
    this.#environment = environment;
    this.#log = log;
    this.#clock = clock;
    this.#timers = timers;
    this.#socket = environment["NOTIFY_SOCKET"] || undefined;
    // The watchdog of a parent is not ours.
    const isOurs = (environment["WATCHDOG_PID"] ?? String(process.pid)) === String(process.pid);
    const limitMs = isOurs ? Number(environment["WATCHDOG_USEC"]) / 1_000 : Number.NaN;
    this.#feedEveryMs = limitMs > 0 ? limitMs / 3 : null;
  }

  /** The start may take as long as a disk is full, or a port busy. */
  starting(): void {
    const say = () => {
      this.#say(`EXTEND_TIMEOUT_USEC=${MORE_TIME_USEC}`, "STATUS=starting; its log says what it waits for");
      this.#callOff = this.#timers.after(STARTING_EVERY_MS, say);
    };
    say();
  }

  /** It has started. `outage` is why the database can't be written now, if it can't. */
  ready(outage: () => { readonly isDamage: boolean } | null): void {
    this.#callOff();
    this.#say("READY=1", "STATUS=running; `hotbags status` says how it goes");
    const feedEveryMs = this.#feedEveryMs;
    if (feedEveryMs === null) return;
    const feed = () => {
      if (this.#canWork(outage())) this.#say("WATCHDOG=1");
      this.#callOff = this.#timers.after(feedEveryMs, feed);
    };
    feed();
  }

  /** It ends; what is under way may take its time. Nothing is said after this. */
  stopping(): void {
    this.close();
    this.#say("STOPPING=1", "STATUS=stopping");
  }

  /** Says nothing more. */
  close(): void {
    this.#callOff();
  }

  /** Damage does not pass by a new start, which might even be refused: what can still be read is served meanwhile. */
  #canWork(outage: { readonly isDamage: boolean } | null): boolean {
    if (outage === null || outage.isDamage) {
      this.#outageSince = null;
      return true;
    }
    this.#outageSince ??= this.#clock.uptimeMs();
    if (this.#clock.uptimeMs() - this.#outageSince < OUTAGE_PATIENCE_MS) return true;
    const what = "the database has taken no writes for ten minutes: systemd will start the sidecar anew";
    this.#logThrottle.log(() => this.#log.error({ alarm: true }, what), what);
    return false;
  }

  #say(...assignments: string[]): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#said = this.#said.then(() => this.#notify(socket, assignments));
  }

  /** Never rejects: whoever is not told draws the conclusion. */
  #notify(socket: string, assignments: string[]): Promise<void> {
    // Nothing of the sidecar's secrets.
    const env = { PATH: this.#environment["PATH"], NOTIFY_SOCKET: socket };
    return new Promise((resolve) => {
      execFile("systemd-notify", assignments, { env, timeout: NOTIFY_TIMEOUT_MS }, (error) => {
        if (error) this.#complain(error);
        resolve();
      });
    });
  }

  #complain(error: Error): void {
    const what = "systemd can't be told how it goes, and may end the sidecar: systemd-notify failed";
    this.#logThrottle.log(() => this.#log.error({ err: error, alarm: true }, what), what);
  }
}
