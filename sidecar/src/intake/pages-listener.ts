import { createServer, type Server } from "node:http";
import { codeOf, LogThrottle } from "@hotbags/shared";
import { Connections } from "./connections.ts";
import type { ListenAddress } from "./listen-address.ts";
import { listenError } from "./listen-error.ts";
import { Pages, type PagesParts } from "./pages.ts";

/** A scraper has one, a person a few. */
const MAX_CONNECTIONS = 16;
const REQUEST_TIMEOUT_MS = 10_000;
/** Until it is tried again where it could not listen, ms. */
const RETRY_MS = 30_000;

interface PagesListenerParts extends PagesParts {
  /** `BRIDGE_METRICS_LISTEN`: a port on loopback. */
  address: Exclude<ListenAddress, { path: string }>;
  retryMs?: number;
}

/**
 * Answers what needs no token at an address of its own, for whoever can't ask at a socket, as Prometheus. No message waits
 * for it: where it can't listen it says so, and tries again.
 */
export class PagesListener {
  readonly #parts: PagesListenerParts;
  readonly #server: Server;
  readonly #logThrottle = new LogThrottle();
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: PagesListenerParts) {
    this.#parts = parts;
    const pages = new Pages(parts);
    const connections = new Connections(MAX_CONNECTIONS, parts.log);
    const times = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 5_000 };
    this.#server = createServer(times, (request, response) => pages.answer(request, response));
    this.#server.on("connection", (socket) => connections.add(socket));
    this.#server.on("error", (error) => this.#failed(error));
    this.#server.on("listening", () => parts.log.info({ port: this.port }, "metrics have an address of their own"));
  }

  /** Null while it does not listen. */
  get port(): number | null {
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : null;
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
    const { address, log, retryMs = RETRY_MS } = this.#parts;
    const { message } = listenError(address, error, "BRIDGE_METRICS_LISTEN");
    this.#logThrottle.log(() => log.error({ alarm: true }, `no metrics: ${message}`), codeOf(error));
    if (this.port === null) this.#retry = setTimeout(() => this.start(), retryMs);
  }
}
