import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a browser shows without running anything of it, by how its bytes begin: SVG is none of these. */
const BEGINNINGS = [
  { type: "image/png", hex: /^89504e470d0a1a0a/ },
  { type: "image/jpeg", hex: /^ffd8ff/ },
  { type: "image/gif", hex: /^47494638(37|39)61/ },
  { type: "image/webp", hex: /^52494646.{8}57454250/ },
] as const;

/** A picture that a message came with, on its way to whoever asked for it. */
export class Picture {
  readonly type: string;
  readonly bytes: number;
  readonly #pieces: AsyncGenerator<Buffer>;
  readonly #first: Buffer;

  private constructor(type: string, bytes: number, first: Buffer, pieces: AsyncGenerator<Buffer>) {
    this.type = type;
    this.bytes = bytes;
    this.#first = first;
    this.#pieces = pieces;
  }

  /** By what its bytes are, whatever its sender says. Resolves with null where it is none. Rejects as `pieces` do. */
  static async of(bytes: number, pieces: AsyncGenerator<Buffer>): Promise<Picture | null> {
    const { value } = await pieces.next();
    const first = Buffer.from(value ?? []);
    const type = BEGINNINGS.find(({ hex }) => hex.test(first.toString("hex", 0, 16)))?.type;
    if (type !== undefined) return new Picture(type, bytes, first, pieces);
    await pieces.return(undefined);
    return null;
  }

  /** Never rejects: whoever is cut off sees that there are fewer bytes than were announced. */
  async sendTo(response: ServerResponse): Promise<void> {
    response.writeHead(200, {
      "content-type": this.type,
      "content-length": this.bytes,
      "content-security-policy": "default-src 'none'; sandbox",
      "content-disposition": "inline",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
    await pipeline(Readable.from(this.#all()), response).catch(() => response.destroy());
  }

  /** Pieces share their memory with the next ones, and a socket may send them later. */
  async *#all(): AsyncGenerator<Buffer> {
    try {
      yield this.#first;
      for await (const piece of this.#pieces) yield Buffer.from(piece);
    } finally {
      await this.#pieces.return(undefined);
    }
  }
}
