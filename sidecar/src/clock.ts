import { uptime } from "node:os";
// The global of this name is looked up by a getter each time.
import { performance } from "node:perf_hooks";

/** Time as a parameter, so that a test can set it. */
export interface Clock {
  /** Wall clock, ms since the epoch. It can jump: use it for what people read, never to decide that time has passed. */
  now(): number;
  /** Monotonic ms. It never jumps, and means nothing in another process. */
  uptimeMs(): number;
  /** Ms since the machine started, in whole seconds, up to a second late. It never jumps, and all processes until the next start share it. */
  bootMs(): number;
}

/** The system is asked for what counts in whole seconds once a second: it reads a file for it. */
const BOOT_READ_EVERY_MS = 1_000;
let bootRead = { at: Number.NEGATIVE_INFINITY, ms: 0 };

export const systemClock: Clock = {
  now: () => Date.now(),
  uptimeMs: () => performance.now(),
  bootMs() {
    const at = performance.now();
    if (at - bootRead.at >= BOOT_READ_EVERY_MS) bootRead = { at, ms: Math.floor(uptime()) * 1_000 };
    return bootRead.ms;
  },
};

/** Waiting as a parameter, for the same reason. */
export interface Timers {
  /**
   * Calls `wake` once, in `ms` or, if that is weeks away, earlier: look at the clock then. Returns how to call it
   * off.
   */
  after(ms: number, wake: () => void): () => void;
}

/** Calls `work` every `ms` until what is returned is called. */
export function every(timers: Timers, ms: number, work: () => void): () => void {
  let callOff = () => {};
  const schedule = () => {
    callOff = timers.after(ms, () => {
      schedule();
      work();
    });
  };
  schedule();
  return () => callOff();
}

/** The longest wait that Node's timers know, ms: 24.8 days. One that is longer would be over at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemTimers: Timers = {
  after(ms, wake) {
    const timer = setTimeout(wake, Math.min(Math.max(0, Math.ceil(ms)), MAX_TIMEOUT_MS));
    return () => clearTimeout(timer);
  },
};

/** Resolves after so long, ms, or as soon as the signal is aborted. */
export function pause(ms: number, signal: AbortSignal, timers: Timers = systemTimers): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      callOff();
      // The signal may outlive many waits.
      signal.removeEventListener("abort", end);
      resolve();
    };
    const callOff = timers.after(ms, end);
    signal.addEventListener("abort", end);
  });
}
