import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
  type InboundMessage,
  MAX_FRAME_BYTES,
  type PluginFrame,
  parseFrame,
  pluginFrame,
  WIRE_VERSION,
} from "@hotbags/shared";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { freePort } from "../../../test/hotbags/port.ts";
import { ScratchMedia } from "./media.ts";

export const TOKEN = "a-token-for-tests";

type MessageFrame = Extract<PluginFrame, { type: "message" }>;
type Answer = (frame: MessageFrame) => object | undefined;

/** The sidecar's end of the wire, on a real socket: it validates what it gets, and answers as the test says. */
export class ScratchSidecar {
  readonly frames: PluginFrame[] = [];
  readonly violations: string[] = [];
  readonly media = new ScratchMedia();
  credit = 256;
  maxFrameBytes = MAX_FRAME_BYTES;
  welcomes = true;
  /** What its welcome says besides: the sidecar of another release. */
  greeting: object = {};
  /** The answer to a message; undefined for none. */
  answers: Answer = (frame) => ({ v: WIRE_VERSION, type: "ack", ref: frame.ref, duplicate: false });
  /** Ids of the messages that were acknowledged, in this order. */
  readonly taken: string[] = [];
  connections = 0;
  pings = 0;
  rejected = 0;
  #http: Server | undefined;
  #sockets = new Set<WebSocket>();
  #port = 0;
  readonly #socketPath: string | undefined;

  private constructor(socketPath?: string) {
    this.#socketPath = socketPath;
  }

  /** On a port of its own, or on a Unix socket. */
  static async start(socketPath?: string): Promise<ScratchSidecar> {
    const sidecar = new ScratchSidecar(socketPath);
    await sidecar.listen();
    onTestFinished(() => sidecar.stop());
    return sidecar;
  }

  get url(): string {
    return this.#socketPath !== undefined ? `ws+unix:${this.#socketPath}:/` : `ws://127.0.0.1:${this.#port}`;
  }

  /** Starts to listen, again on the same port after a stop: it is ours meanwhile (see `freePort`). */
  async listen(): Promise<void> {
    if (this.#port === 0 && this.#socketPath === undefined) this.#port = await freePort();
    const http = createServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) return void response.writeHead(401).end();
      void this.media.handle(request, response);
    });
    const wss = new WebSocketServer({ noServer: true, maxPayload: 4 * MAX_FRAME_BYTES });
    http.on("upgrade", (request, socket, head) => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) {
        this.rejected += 1;
        socket.on("error", () => undefined);
        socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
        return;
      }
      wss.handleUpgrade(request, socket, head, (ws) => this.#accept(ws));
    });
    const where = this.#socketPath === undefined ? { port: this.#port, host: "127.0.0.1" } : { path: this.#socketPath };
    http.listen(where);
    await once(http, "listening");
    this.#http = http;
  }

  /** Drops every connection and stops to listen. */
  async stop(): Promise<void> {
    const http = this.#http;
    if (http === undefined) return;
    this.#http = undefined;
    this.drop();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  }

  drop(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  /** Stops reading: the connection stays open, and nothing comes back on it any more. */
  freeze(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  send(frame: object): void {
    for (const socket of this.#sockets) socket.send(JSON.stringify(frame));
  }

  sendText(text: string): void {
    for (const socket of this.#sockets) socket.send(text);
  }

  get messages(): InboundMessage[] {
    return this.frames.flatMap((frame) => (frame.type === "message" ? [frame.message] : []));
  }

  get ids(): string[] {
    return this.messages.map((message) => message.message_id);
  }

  /** An item without `omitted` is a promise that its file is here. */
  #checkFiles({ message_id, media }: InboundMessage): void {
    for (const { sha256, omitted } of media) {
      if (omitted === undefined && !this.media.has(sha256 ?? ""))
        this.violations.push(`${message_id} came before its file`);
    }
  }

  /** docs/wire.md, "Order": `awaited` has the refused message of each chat that waits for it. */
  #answerTo(frame: MessageFrame, awaited: Map<string, string>): Record<string, unknown> | undefined {
    const { ref, message } = frame;
    const { message_id: id, chat_id: chat } = message;
    this.#checkFiles(message);
    const first = awaited.get(chat);
    if (first !== undefined && first !== id) {
      const reason = "an earlier message of this chat could not be stored yet";
      return { v: WIRE_VERSION, type: "refused", ref, code: "not_stored", reason, retry: true };
    }
    awaited.delete(chat);
    const answer = this.answers(frame) as Record<string, unknown> | undefined;
    if (answer?.["type"] === "ack") this.taken.push(id);
    if (answer?.["retry"] === true) awaited.set(chat, id);
    return answer;
  }

  #accept(ws: WebSocket): void {
    this.connections += 1;
    const awaited = new Map<string, string>();
    this.#sockets.add(ws);
    ws.on("close", () => this.#sockets.delete(ws));
    ws.on("ping", () => {
      this.pings += 1;
    });
    ws.on("message", (data) => {
      const parsed = parseFrame<PluginFrame>(pluginFrame, String(data));
      if (!parsed.ok) return void this.violations.push(parsed.reason);
      this.frames.push(parsed.frame);
      if (parsed.frame.type === "hello" && this.welcomes) {
        const { credit, maxFrameBytes } = this;
        ws.send(
          JSON.stringify({
            ...{ v: WIRE_VERSION, type: "welcome", sidecar_version: "scratch" },
            ...{ credit, max_frame_bytes: maxFrameBytes, ...this.greeting },
          }),
        );
      }
      const answer = parsed.frame.type === "message" ? this.#answerTo(parsed.frame, awaited) : undefined;
      if (answer !== undefined) ws.send(JSON.stringify(answer));
    });
  }
}
