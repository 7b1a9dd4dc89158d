import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import { Connections } from "./connections.ts";
import type { ListenAddress } from "./listen-address.ts";
import { listenError } from "./listen-error.ts";

/** Until it is tried again where it could not listen, ms. */
const RETRY_MS = 30_000;

interface PortListenerParts {
  address: Exclude<ListenAddress, { path: string }>;
  /** Where the address is from. */
  setting: string;
  /** What is not there while it does not listen, and is once it does: `metrics`. */
  what: string;
  /** Connections at once. */
  maxConnections: number;
  /** How long a request and a connection may take. */
  times: ServerOptions;
  answer(request: IncomingMessage, response: ServerResponse): void;
  log: Logger;
  retryMs?: number | undefined;
}

/**
 * Answers HTTP at a port of this machine's own, beside the listener that the plugin needs. No message waits for it: where
 * it can't listen it says so, and tries again.
 */
export class PortListener {
  readonly #parts: PortListenerParts;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #logThrottle = new LogThrottle();
  #retry: NodeJS.Timeout | undefined;
  #problem: string | null = null;

  constructor(parts: PortListenerParts) {
    this.#parts = parts;
    this.#connections = new Connections(parts.maxConnections, parts.log);
    this.#server = createServer(parts.times, (request, response) => parts.answer(request, response));
    this.#server.on("connection", (socket) => this.#connections.add(socket));
    this.#server.on("error", (error) => this.#failed(error));
    this.#server.on("listening", () => {
      this.#problem = null;
      parts.log.info({ port: this.port }, `${parts.what}: listening`);
    });
  }

  /** Null while it does not listen. */
  get port(): number | null {
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : null;
  }

  /** Why it does not listen, as a sentence; null while it does, or has not tried yet. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The connection is not ended for new ones until what is returned is called. */
  activate(socket: Duplex): () => void {
    return this.#connections.activate(socket);
  }

  start(): void {
    this.#server.listen(this.#parts.address);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    // Called also where it does not listen.
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #failed(error: Error): void {
    const { address, setting, what, log, retryMs = RETRY_MS } = this.#parts;
    const { message } = listenError(address, error, setting);
    this.#logThrottle.log(() => log.error({ alarm: true }, `no ${what}: ${message}`), codeOf(error));
    if (this.port !== null) return;
    this.#problem = message;
    this.#retry = setTimeout(() => this.start(), retryMs);
  }
}
