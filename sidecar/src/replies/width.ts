/**
 * Chats that are answered side by side at the least, and while the gateway takes its time: it passes 20 to 25 replies a
 * second, however many are asked for at once, and each that is under way when it dies is in doubt.
 */
const LEAST = 8;
const MOST = 64;

/** A gateway that answers a `send` within this time, ms, waits for us: OpenClaw takes 40 for one alone. */
const FAST_MS = 25;

/** How many chats are answered at once, by how fast the gateway answers: one more with each fast answer, half with a slow one. */
export class Width {
  #chats = LEAST;

  get chats(): number {
    return this.#chats;
  }

  /** The gateway has sent a reply, and took so long to answer, ms; Infinity: it has not, which no other is to hurry for. */
  answered(durationMs: number): void {
    this.#chats = durationMs <= FAST_MS ? Math.min(MOST, this.#chats + 1) : Math.max(LEAST, this.#chats >> 1);
  }
}
