import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { Timers } from "../clock.ts";
import type { ListenAddress } from "../listening/listen-address.ts";
import { PortListener } from "../listening/port-listener.ts";
import type { OperatorApi } from "../operator/api.ts";
import { OperatorError } from "../operator/error.ts";
import type { Listen } from "../operator/event-stream.ts";
import { refuse, targetOf } from "../operator/http.ts";
import type { ConsoleDesk } from "../operator/running.ts";
import type { ConsoleStore, Role } from "../store/index.ts";
import { ConsoleApi } from "./console-api.ts";
import { Feed } from "./feed.ts";
import { checkHost, checkOrigin } from "./gate.ts";
import { harden } from "./headers.ts";
import { Page } from "./page.ts";
import { Sessions } from "./sessions.ts";

/** Twenty open pages, each with its stream and what it asks beside it, and room for those who have not logged in. */
const MAX_CONNECTIONS = 128;

/** A request that takes longer to come, ms, is cut. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 8 * 1024;

export interface ConsoleSettings {
  /** `BRIDGE_CONSOLE`: a port on loopback. */
  address: Exclude<ListenAddress, { path: string }>;
  /** By which a reverse proxy is asked for it; null: there is none. */
  origin: URL | null;
  /** Nobody may change anything, whatever their link says. */
  readOnly: boolean;
}

interface ConsoleParts extends ConsoleSettings {
  /** Where the built page is. */
  folder: string;
  access: ConsoleStore;
  timers: Timers;
  log: Logger;
}

/**
 * The owner's page: the operator API with a face, at a port of its own. It is reached through a tunnel or a reverse proxy,
 * so whoever asks has to show a session; see docs/console.md.
 */
export class Console implements ConsoleDesk {
  readonly #parts: ConsoleParts;
  readonly #sessions: Sessions;
  readonly #page: Page;
  readonly #listener: PortListener;
  #open: { api: ConsoleApi; feed: Feed } | null = null;

  constructor(parts: ConsoleParts) {
    const { address, folder, access, log } = parts;
    this.#parts = parts;
    this.#sessions = new Sessions(access);
    this.#page = new Page(folder);
    this.#listener = new PortListener({
      ...{ address, setting: "BRIDGE_CONSOLE", what: "console", maxConnections: MAX_CONNECTIONS, log },
      times: {
        ...{ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: 5_000 },
        ...{ maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 2 },
      },
      answer: (request, response) => void this.#answer(request, response),
    });
  }

  get port(): number | null {
    return this.#listener.port;
  }

  get problem(): string | null {
    return this.#listener.problem;
  }

  /** `health`: what open pages are told when it changes. */
  start(api: OperatorApi, listen: Listen, health: () => Promise<object>): void {
    const { origin, readOnly, timers, log } = this.#parts;
    const sessions = this.#sessions;
    const feed = new Feed({ listen, health, sessions, timers, log });
    const activate = (request: IncomingMessage) => this.#listener.activate(request.socket);
    const parts = { api, feed, sessions, origin, readOnly, activate, log, uptimeMs: () => performance.now() };
    this.#open = { api: new ConsoleApi(parts), feed };
    this.#listener.start();
  }

  async stop(): Promise<void> {
    this.#open?.feed.end();
    await this.#listener.stop();
  }

  async makeLink(user: string, role: Role, who: string) {
    const { problem, port } = this.#listener;
    if (port === null) throw new OperatorError(503, `no console: ${problem ?? "it is starting"}`);
    const { token, expiresAt } = await this.#sessions.link(user, role, who);
    const { origin, address } = this.#parts;
    const here = `http://${address.host.includes(":") ? `[${address.host}]` : address.host}:${port}`;
    return { url: `${origin?.origin ?? here}/#login=${token}`, expiresAt, port, isProxied: origin !== null };
  }

  sessions() {
    return this.#sessions.list();
  }

  endSession(id: number, who: string) {
    return this.#sessions.end(id, who);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { origin, log } = this.#parts;
    harden(response);
    try {
      checkHost(request, origin);
      const url = targetOf(request);
      if (!url.pathname.startsWith("/api/")) return this.#page.answer(request, response, url.pathname);
      checkOrigin(request, origin);
      await this.#open?.api.answer(request, response, url);
    } catch (error) {
      refuse(request, response, error, log);
    }
  }
}
