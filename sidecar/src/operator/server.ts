import { once } from "node:events";
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { codeOf, describeIssues, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";
import { removeStaleSocket, whyPathTooLong } from "../listening/unix-socket.ts";
import type { OperatorApi } from "./api.ts";
import { OperatorError } from "./error.ts";
import { EventStreams, type Listen } from "./event-stream.ts";
import { answer, give, readAsked, refuse, targetOf } from "./http.ts";
import { API_PREFIX, EVENTS } from "./schemas.ts";

/** The socket's name in BRIDGE_STATE_DIR. */
const SOCKET_NAME = "operator.sock";

/** Who asks, as the client says: whoever may open the socket may read the whole database anyway. */
export const USER_HEADER = "hotbags-user";

/** A user's name as a header takes it: its bytes in UTF-8, without what would end a line. */
export function asHeader(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
  return Buffer.from(name.replace(/[\u0000-\u001f\u007f]/g, " ")).toString("latin1");
}

/** What is being answered when the sidecar is told to stop has this long, ms. */
const STOP_PATIENCE_MS = 1_000;

export function operatorSocketOf(stateDir: string): string {
  return join(stateDir, SOCKET_NAME);
}

interface ServerParts {
  /** Its folder is the sidecar's own. */
  path: string;
  api: OperatorApi;
  /** What happens in the store. */
  listen: Listen;
  log: Logger;
}

/** The operator API on a Unix socket with mode 600: who may open the state folder's files may operate. */
export class OperatorServer {
  readonly #parts: ServerParts;
  readonly #server: Server;
  readonly #streams: EventStreams;
  readonly #throttle = new LogThrottle();

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#streams = new EventStreams(parts.listen);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Resolves when it listens, or can't: messages flow without it, and the log says what to do. */
  async start(): Promise<void> {
    const { path, log } = this.#parts;
    try {
      const tooLong = whyPathTooLong(path);
      if (tooLong) throw new Error(tooLong);
      await removeStaleSocket(path);
      await this.#listen(path);
      this.#server.on("error", (error) =>
        this.#throttle.log(() => log.error({ err: error }, "an operator's connection can't be taken"), codeOf(error)),
      );
    } catch (error) {
      this.#server.close();
      log.error(
        { err: error, alarm: true },
        `the hotbags command can't reach this sidecar: ${path} can't be listened on`,
      );
    }
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#streams.end();
    this.#server.close();
    this.#server.closeIdleConnections();
    const patience = setTimeout(() => this.#server.closeAllConnections(), STOP_PATIENCE_MS);
    await closed;
    clearTimeout(patience);
  }

  /** The socket is nobody else's from its first moment on: libuv makes it within `listen`. */
  async #listen(path: string): Promise<void> {
    const listening = once(this.#server, "listening");
    const before = process.umask(0o177);
    try {
      this.#server.listen({ path });
    } finally {
      process.umask(before);
    }
    await listening;
    chmodSync(path, 0o600);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { api, log } = this.#parts;
    try {
      const url = targetOf(request);
      if (url.pathname === `${API_PREFIX}${EVENTS.path}` && request.method === EVENTS.method)
        return this.#follow(url, response);
      const asked = await readAsked(request, url);
      const user = request.headers[USER_HEADER];
      const isNamed = typeof user === "string" && user !== "";
      const who = isNamed ? Buffer.from(user, "latin1").toString().slice(0, 128) : "unknown";
      await give(response, await answer(api, asked, who, log));
    } catch (error) {
      refuse(request, response, error, log);
    }
  }

  /** Throws OperatorError. */
  #follow(url: URL, response: ServerResponse): void {
    const filter = EVENTS.input.safeParse(Object.fromEntries(url.searchParams));
    if (!filter.success) throw new OperatorError(400, describeIssues(filter.error));
    if (this.#streams.isFull) throw new OperatorError(503, "there are too many readers of events: end one of them");
    this.#streams.begin(response, filter.data);
  }
}
