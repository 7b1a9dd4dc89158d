import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as after } from "node:timers/promises";

/**
 * What comes back: bytes on the bare connection, and its end; bytes that are followed by others again and again, for as
 * long as the client reads; or nothing, for as long as it waits.
 */
export type Bytes = string | "hang" | "cut" | Endless;

interface Endless {
  begin: string;
  /** Comes after that every `everyMs`; 0: as fast as it is read. */
  goOn: string;
  everyMs: number;
}

export interface Post {
  id: string;
  text: string;
  body: string;
  headers: IncomingMessage["headers"];
  path: string | undefined;
  /** It was answered with commands, or without any. */
  taken: boolean;
}

/** An answer of these bytes, with a Content-Length. */
export function answer(status: string, headers: string[] = [], body = ""): string {
  const head = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

export const TAKEN = answer("200 OK", ["Content-Type: application/json"], "{}");

/** A backend that answers each message with the bytes that a test says, whatever HTTP makes of them. */
export class RawBackend {
  /** By the message's text. */
  answerTo: (text: string, post: Post) => Bytes = () => TAKEN;
  readonly posts: Post[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      request.on("error", () => {});
      response.on("error", () => {});
      void this.#answer(request).catch(() => {});
    });
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The texts of what was taken, in order. */
  get taken(): string[] {
    return this.posts.filter(({ taken }) => taken).map(({ text }) => text);
  }

  postsOf(text: string): Post[] {
    return this.posts.filter((post) => post.text === text);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  async #answer(request: IncomingMessage): Promise<void> {
    const body = (await buffer(request)).toString();
    const { message_id, text } = JSON.parse(body);
    const post = { id: message_id, text, body, headers: request.headers, path: request.url, taken: false };
    const bytes = this.answerTo(text, post);
    post.taken = bytes === TAKEN;
    this.posts.push(post);
    if (bytes === "hang") return;
    if (bytes === "cut") request.socket.destroy();
    else if (typeof bytes === "string") request.socket.end(bytes);
    else await goOn(request.socket, bytes);
  }
}

async function goOn(socket: Socket, { begin, goOn, everyMs }: Endless): Promise<void> {
  socket.write(begin);
  while (!socket.destroyed) {
    if (everyMs > 0) await after(everyMs);
    if (!socket.destroyed && !socket.write(goOn)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
  }
}
