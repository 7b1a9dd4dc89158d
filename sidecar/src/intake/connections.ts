import type { Duplex } from "node:stream";
import { LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";

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
  #ended = 0;
  /** At the limit each new connection ends an old one. */
  readonly #logThrottle = new LogThrottle();

  constructor(limit: number, log: Logger) {
    this.#limit = limit;
    this.#log = log;
  }

  /** A new connection. It is ended at once where all others are active. */
  add(socket: Duplex): void {
    this.#idle.add(socket);
    socket.once("close", () => {
      this.#idle.delete(socket);
      this.#active.delete(socket);
    });
    if (this.#idle.size + this.#active.size > this.#limit) this.#endOldest();
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
