import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { BinaryNode } from "baileys";
import { WebSocketServer } from "ws";
import { type Client, loginFailure } from "./client.ts";
import type { Upload } from "./content/content.ts";
import { nowMs, type Reporter } from "./events.ts";
import { Pairing } from "./pairing.ts";
import { makeServerIdentity, type ServerIdentity } from "./socket/certificate.ts";
import { Connection } from "./socket/connection.ts";
import type { ClientFinish } from "./socket/noise.ts";

/** The preload puts this before the path of a download. */
export const MEDIA_PREFIX = "/media";

export interface ServerOptions {
  readonly reporter: Reporter;
  /** The client of a device that logs in; undefined for an unknown one. */
  readonly clientOf: (noiseKey: Buffer) => Client | undefined;
}

/** The listening side: upgrades, handshakes and logins on 127.0.0.1. */
export class WhatsAppServer {
  readonly identity: ServerIdentity = makeServerIdentity();
  refusing = false;
  readonly pairing = new Pairing();
  readonly #options: ServerOptions;
  /** The media files that contacts have uploaded, by path. */
  readonly #media = new Map<string, Buffer>();
  readonly #http: Server = createServer((request, response) => {
    const path = request.url?.replace(MEDIA_PREFIX, "") ?? "";
    if (request.method === "POST") return void this.#takeUpload(path, request, response);
    const file = this.#media.get(path);
    if (request.method === "GET" && file) response.writeHead(200, { "content-length": file.byteLength }).end(file);
    else response.writeHead(404).end();
  });
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  readonly #connections = new Map<Connection, Client | undefined>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#http.on("upgrade", (request, socket, head) => {
      if (this.refusing) return void socket.destroy();
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = new Connection(webSocket, this.identity, {
          login: (one, finish) => this.#login(one, finish),
          stanza: (one, stanza) => this.#stanza(one, stanza),
          closed: (one, byClient) => this.#closed(one, byClient),
          failed: (_, error) => this.#options.reporter.log(`connection failed: ${String(error)}`),
        });
        this.#connections.set(connection, undefined);
      });
    });
  }

  async listen(): Promise<void> {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
  }

  upload({ path, body }: Upload): void {
    this.#media.set(path, body);
  }

  /** A file as it was uploaded, by its path. */
  file(path: string): Buffer | undefined {
    return this.#media.get(path);
  }

  /** What a bot uploads: Baileys names the file by its hash, with a token behind it. */
  async #takeUpload(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = target.replace(/\?.*/, "");
    this.#media.set(path, await buffer(request));
    const answer = JSON.stringify({ url: `https://mmg.whatsapp.net${path}`, direct_path: path });
    response.writeHead(200, { "content-type": "application/json" }).end(answer);
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** Cuts all connections, or those of one account. */
  drop(accountId?: string): void {
    for (const [connection, client] of this.#connections) {
      if (accountId === undefined || client?.account.id === accountId) connection.terminate();
    }
  }

  async close(): Promise<void> {
    this.refusing = true;
    const closed = once(this.#http, "close");
    this.#http.close();
    this.drop();
    this.#http.closeAllConnections();
    this.#sockets.close();
    await closed;
  }

  #login(connection: Connection, finish: ClientFinish): void {
    const { noiseKey, payload } = finish;
    if (payload.devicePairingData) return this.pairing.begin(connection, finish);
    const client = this.#options.clientOf(noiseKey);
    const account = client?.account;
    const named = account && `+${payload.username}` === account.addresses.number && payload.device === account.device;
    if (!client || !account || !named || account.loggedOut) {
      this.#options.reporter.log(`login refused: ${account ? account.describe() : "unknown device"}`);
      connection.send(loginFailure());
      connection.end();
      return;
    }
    // One device has one connection: WhatsApp tells the older one that it was replaced.
    if (account.connection) client.replaced();
    this.#connections.set(connection, client);
    account.connected(connection);
    this.#options.reporter.emit({ type: "connected", atMs: nowMs(), accountId: account.id });
    client.greet();
  }

  #stanza(connection: Connection, stanza: BinaryNode): void {
    const client = this.#connections.get(connection);
    if (client?.account.connection === connection) client.handle(stanza);
    else if (!client) this.pairing.stanza(connection, stanza);
  }

  #closed(connection: Connection, byClient: boolean): void {
    const account = this.#connections.get(connection)?.account;
    this.#connections.delete(connection);
    this.pairing.closed(connection);
    if (account?.connection !== connection) return;
    account.disconnected(byClient);
    this.#options.reporter.emit({ type: "disconnected", atMs: nowMs(), accountId: account.id });
  }
}
