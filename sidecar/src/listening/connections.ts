import type { Duplex } from "node:stream";
import { LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";

/**
 * For so long, ms, there may be more than the limit: whoever connects has a request to send, and must not be ended for
 * those that come within the same instant.
 */
const PATIENCE_MS = 50;

/** Never more than so many times the limit: it is a flood then. */
const MOST_FOLD = 8;

/**
 * The open connections, bounded in total. Any process of this machine can open some and say nothing, so a new one is not
 * turned away for them: the oldest idle one makes room. Active is what has shown the token, for as long as it has something
 * to do. So idle connections keep neither `/health` nor the plugin out, and nothing of the plugin's is cut for them.
 */
export class Connections {
  readonly #limit: number;
  readonly #log: Logger;
  /** In the order in which they came or became idle, the oldest first. */
  readonly #idle = new Set<Duplex>();
  readonly #active = new Set<Duplex>();
  #isTrimming = false;
  #ended = 0;
  /** At the limit each new connection ends an old one. */
  readonly #logThrottle = new LogThrottle();

  constructor(limit: number, log: Logger) {
    this.#limit = limit;
    this.#log = log;
  }

  /** A new connection. It is ended soon where all others are active. */
  add(socket: Duplex): void {
    this.#idle.add(socket);
    socket.once("close", () => {
      this.#idle.delete(socket);
      this.#active.delete(socket);
    });
    if (this.#size > MOST_FOLD * this.#limit) this.#endOldest();
    else if (this.#size > this.#limit) this.#trimSoon();
  }

  /** Its peer has shown the token. Call what is returned when it has nothing to do any more. */
  activate(socket: Duplex): () => void {
    if (!this.#idle.delete(socket)) return () => {};
    this.#active.add(socket);
    return () => {
      // Deleted already: it was closed.
      if (this.#active.delete(socket)) this.#idle.add(socket);
    };
  }

  get #size(): number {
    return this.#idle.size + this.#active.size;
  }

  #trimSoon(): void {
    if (this.#isTrimming) return;
    this.#isTrimming = true;
    const trim = () => {
      this.#isTrimming = false;
      while (this.#size > this.#limit && this.#idle.size > 0) this.#endOldest();
    };
    // After a turn in which what has come is read, however long this one takes.
    setTimeout(() => setImmediate(trim), PATIENCE_MS);
  }

  #endOldest(): void {
    const [oldest] = this.#idle;
    if (!oldest) return;
    this.#idle.delete(oldest);
    oldest.destroy();
    this.#ended += 1;
    this.#logThrottle.log(() => {
      const facts = { limit: this.#limit, ended: this.#ended };
      this.#log.warn(facts, "too many connections at once: the oldest idle ones make room for new ones");
      this.#ended = 0;
    });
  }
}
