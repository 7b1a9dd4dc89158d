import { once } from "node:events";
import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { codeOf, LogThrottle, MAX_FRAME_READ_BYTES, MEDIA_PATH } from "@hotbags/shared";
import { WebSocketServer } from "ws";
import { Connections } from "../listening/connections.ts";
import type { ListenAddress } from "../listening/listen-address.ts";
import { ListenError, listenError, pathTooLong } from "../listening/listen-error.ts";
import { removeStaleSocket } from "../listening/unix-socket.ts";
import type { RotationStatus } from "../rotation.ts";
import { Auth, type BridgeTokens } from "./auth.ts";
import { MAX_UPLOADS, MediaIntake } from "./media.ts";
import { Pages, type PagesParts, respond, STARTING } from "./pages.ts";
import { type IntakeParts, type OutboxStatus, PluginConnection, type PluginVersions } from "./plugin-connection.ts";
import { PluginLog } from "./plugin-log.ts";

/** Plugin connections at once. One is normal, two during a plugin reload. */
export const MAX_PLUGIN_CONNECTIONS = 8;

/** Connections at once: the plugin's own and its uploads, and as many again for everything else. */
export const MAX_CONNECTIONS = 2 * (MAX_PLUGIN_CONNECTIONS + MAX_UPLOADS);

/**
 * A request that takes longer than this, ms, is cut. An upload goes on where it was cut, so the time must allow for some new bytes on top of reading again
 * what is here of the file, on the slowest disk: 256 MiB at 10 MB/s are 27 s.
 */
const REQUEST_TIMEOUT_MS = 60_000;

interface ListenerParts extends BridgeTokens, PagesParts {
  address: ListenAddress;
  /** REQUEST_TIMEOUT_MS, unless a test can't wait for it. */
  requestTimeoutMs?: number;
}

/**
 * What the sidecar listens to on this machine: the plugin's WebSocket, its files, `GET /health` and `GET /metrics`. Once
 * it is started it answers these two, and the plugin once it is opened.
 */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #pages: Pages;
  readonly #auth: Auth;
  readonly #connections: Connections;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_READ_BYTES,
    perMessageDeflate: false,
  });
  /** Each with its end, and with what it has shown. */
  readonly #plugins = new Map<PluginConnection, { end(): void; shown: Buffer }>();
  #open: { parts: IntakeParts; media: MediaIntake; log: PluginLog } | undefined;
  readonly #logThrottle = new LogThrottle();
  /** Any process of this machine can come without a token, as often as it likes: a line for each would fill the disk. */
  readonly #refusals = new LogThrottle();
  #refused = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#pages = new Pages(parts);
    this.#auth = new Auth(parts, parts.log);
    this.#connections = new Connections(MAX_CONNECTIONS, parts.log);
    const requestTimeout = parts.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    const headersTimeout = Math.min(10_000, requestTimeout);
    const connectionsCheckingInterval = requestTimeout / 10;
    this.#server = createServer(
      { requestTimeout, headersTimeout, connectionsCheckingInterval, keepAliveTimeout: 5_000 },
      (request, response) => this.#answer(request, response),
    );
    this.#server.on("connection", (socket) => this.#connections.add(socket));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** What the connected plugin said of itself, the one that came last where there are two; null when none is connected. */
  get plugin(): PluginVersions | null {
    return [...this.#plugins.keys()].reduce<PluginVersions | null>((last, { versions }) => versions ?? last, null);
  }

  /** A plugin of another version of the wire comes, and is refused. */
  get isOtherWireAround(): boolean {
    return this.#open?.log.isOtherWireAround ?? false;
  }

  /** What the connected plugin last said of its outbox; null when none has. */
  get outbox(): OutboxStatus | null {
    for (const plugin of this.#plugins.keys()) if (plugin.versions && plugin.outbox) return plugin.outbox;
    return null;
  }

  /** Which tokens the plugin goes by, while the token is replaced; null while it is not. */
  get rotation(): RotationStatus | null {
    return this.#auth.rotation;
  }

  /** Goes on with other tokens. Whoever has shown one that is valid no more is sent away; what is not acked comes again. */
  adopt(tokens: BridgeTokens): void {
    this.#auth.adopt(tokens);
    for (const { shown, end } of this.#plugins.values()) if (!this.#auth.accepts(shown)) end();
  }

  /** Resolves with the address as it can be written into a URL or shown. Throws ListenError. */
  async start(): Promise<string> {
    const { address } = this.#parts;
    const tooLong = pathTooLong(address);
    if (tooLong) throw tooLong;
    try {
      if ("path" in address) await removeStaleSocket(address.path);
      this.#server.listen("path" in address ? { path: address.path } : address);
      await once(this.#server, "listening");
      // The plugin may run as another user of the same group.
      if ("path" in address) chmodSync(address.path, 0o660);
    } catch (error) {
      this.#server.close();
      throw error instanceof ListenError ? error : listenError(address, error);
    }
    // Without a listener an error of the server would end the process.
    this.#server.on("error", (error) =>
      this.#logThrottle.log(() => this.#parts.log.error({ err: error }, "a connection can't be taken"), codeOf(error)),
    );
    if ("path" in address) return `unix:${address.path}`;
    const bound = this.#server.address();
    return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${typeof bound === "object" && bound ? bound.port : address.port}`;
  }

  /** The plugin may come in: there is a store for what it brings. */
  open(parts: IntakeParts): void {
    const { log } = this.#parts;
    this.#open = { parts, media: new MediaIntake(parts.store.files, log), log: new PluginLog(log) };
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    // 1001 tells the plugin to come back; what it has not seen acked it sends again.
    for (const socket of this.#sockets.clients) socket.close(1001, "the sidecar is stopping");
    const patience = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
      this.#server.closeAllConnections();
    }, 1_000);
    await Promise.all([closed, this.#open?.media.stop()]);
    clearTimeout(patience);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.url?.startsWith(MEDIA_PATH)) return this.#takeFile(request, response);
    this.#pages.answer(request, response, ", files and a WebSocket");
  }

  #takeFile(request: IncomingMessage, response: ServerResponse): void {
    const verdict = this.#auth.check(request);
    if (verdict.ok && this.#open) {
      const done = this.#connections.activate(request.socket);
      return void this.#open.media.answer(request, response).finally(done);
    }
    const { status, reason } = verdict.ok ? STARTING : verdict;
    this.#logRefusal(status, `file refused: ${reason}`);
    response.setHeader("connection", "close");
    respond(response, status, { error: reason });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const verdict = this.#auth.check(request);
    if (!verdict.ok) return this.#turnAway(socket, verdict.status, verdict.reason);
    const open = this.#open;
    if (!open) return this.#turnAway(socket, STARTING.status, STARTING.reason);
    if (this.#plugins.size >= MAX_PLUGIN_CONNECTIONS)
      return this.#turnAway(socket, 503, `there are ${MAX_PLUGIN_CONNECTIONS} connections already`);
    this.#connections.activate(socket);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const plugin = new PluginConnection(webSocket, { ...open.parts, log: open.log });
      const end = () => webSocket.close(1008, "its token is valid no more");
      this.#plugins.set(plugin, { end, shown: verdict.shown });
      webSocket.once("close", () => this.#plugins.delete(plugin));
    });
  }

  /** `refused`: how many since the last such line, this one included. */
  #logRefusal(status: number, what: string): void {
    this.#refused += 1;
    this.#refusals.log(() => {
      this.#parts.log.warn({ status, refused: this.#refused }, what);
      this.#refused = 0;
    });
  }

  #turnAway(socket: Duplex, status: number, reason: string): void {
    this.#logRefusal(status, `connection refused: ${reason}`);
    const body = JSON.stringify({ error: reason });
    socket.on("error", () => socket.destroy());
    // Written is enough: a peer that never closes its side would keep the server from stopping.
    socket.once("finish", () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
}
