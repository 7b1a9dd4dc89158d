/** Time as a parameter, so that a test can set it. */
export interface Clock {
  /** Wall clock, ms since the epoch. It can jump: use it for what people read, never to decide that time has passed. */
  now(): number;
  /** Monotonic ms. It never jumps, and means nothing in another process. */
  uptimeMs(): number;
}

export const systemClock: Clock = { now: () => Date.now(), uptimeMs: () => performance.now() };
