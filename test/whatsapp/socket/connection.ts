import { type BinaryNode, decodeBinaryNode, encodeBinaryNode } from "baileys";
import type { WebSocket } from "ws";
import type { ServerIdentity } from "./certificate.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { type ClientFinish, NoiseServer } from "./noise.ts";

export interface ConnectionEvents {
  /** The handshake is done: the client has proven its noise key. */
  login(connection: Connection, client: ClientFinish): void;
  /** A stanza came; they come in the order in which the client wrote them. */
  stanza(connection: Connection, node: BinaryNode): void;
  /** It is over; `byClient` if the client closed it, or died. */
  closed(connection: Connection, byClient: boolean): void;
  /** The client broke the protocol, or handling its stanza threw; the connection is terminated. */
  failed(connection: Connection, error: unknown): void;
}

/** One client's socket: handshake, then stanzas both ways. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #noise: NoiseServer;
  readonly #events: ConnectionEvents;
  readonly #frames = new FrameReader();
  #stage: "hello" | "finish" | "open" | "closed" = "hello";
  #reading: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, identity: ServerIdentity, events: ConnectionEvents) {
    this.#socket = socket;
    this.#noise = new NoiseServer(identity);
    this.#events = events;
    socket.on("message", (data: Buffer) => {
      // Decoding is asynchronous: the chain keeps the order.
      this.#reading = this.#reading.then(() => this.#read(data)).catch((error) => this.#fail(error));
    });
    socket.on("close", () => this.#closed(true));
    // A reset socket is an ordinary way for a killed client to leave; "close" follows.
    socket.on("error", () => {});
  }

  get isOpen(): boolean {
    return this.#stage === "open" && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Writes a stanza. Returns false, and writes nothing, if the connection isn't open. */
  send(node: BinaryNode): boolean {
    if (!this.isOpen) return false;
    this.#socket.send(encodeFrame(this.#noise.encrypt(encodeBinaryNode(node))));
    return true;
  }

  /** Ends the connection after what was written so far; it counts as closed at once. */
  end(): void {
    this.#socket.close();
    this.#closed(false);
  }

  /** Cuts the connection without a word, as a lost network does; it counts as closed at once. */
  terminate(): void {
    this.#socket.terminate();
    this.#closed(false);
  }

  async #read(data: Buffer): Promise<void> {
    for (const frame of this.#frames.push(data)) {
      if (this.#stage === "hello") {
        this.#socket.send(encodeFrame(this.#noise.hello(frame)));
        this.#stage = "finish";
      } else if (this.#stage === "finish") {
        const client = this.#noise.finish(frame);
        this.#stage = "open";
        this.#events.login(this, client);
      } else if (this.#stage === "open") {
        this.#events.stanza(this, await decodeBinaryNode(this.#noise.decrypt(frame)));
      }
    }
  }

  #closed(byClient: boolean): void {
    if (this.#stage === "closed") return;
    this.#stage = "closed";
    this.#events.closed(this, byClient);
  }

  #fail(error: unknown): void {
    if (this.#stage === "closed") return;
    this.#events.failed(this, error);
    this.terminate();
  }
}
