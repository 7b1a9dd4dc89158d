import { Readable } from "node:stream";
import { base64Length, FileLostError, type Files, type InlinedFile, type PendingMessage } from "../store/index.ts";

/**
 * The bytes of a POST: the stored request with the base64 of the files put in. They are read from disk as the connection takes them, one piece of
 * 128 KiB at a time, so that many large bodies under way need no more memory than small ones.
 */
export class Body {
  readonly byteLength: number;
  readonly #request: Buffer;
  readonly #inlined: readonly InlinedFile[];
  readonly #files: Files;

  constructor(message: PendingMessage, files: Files) {
    this.#request = Buffer.from(message.request);
    this.#inlined = message.inlined;
    this.#files = files;
    this.byteLength = message.inlined.reduce(
      (sum, { size_bytes }) => sum + base64Length(size_bytes),
      this.#request.length,
    );
  }

  /** What to hand to an HTTP client: each call gives the same bytes from the beginning. A stream breaks with FileLostError. */
  open(): Buffer | Readable {
    return this.#inlined.length === 0 ? this.#request : Readable.from(this.pieces(), { objectMode: false });
  }

  /** The bytes in order. Throws FileLostError. */
  async *pieces(): AsyncGenerator<Buffer> {
    let sent = 0;
    for (const { sha256, size_bytes, place } of this.#inlined) {
      yield this.#request.subarray(sent, place);
      for await (const piece of this.#files.read(sha256, size_bytes))
        yield Buffer.from(piece.toString("base64"), "latin1");
      sent = place;
    }
    yield this.#request.subarray(sent);
  }
}

/** The files that can't be sent along any more. Reads each from end to end. */
export async function findLost(inlined: readonly InlinedFile[], files: Files): Promise<InlinedFile[]> {
  const lost: InlinedFile[] = [];
  for (const file of inlined) {
    try {
      await files.verify(file.sha256, file.size_bytes);
    } catch (error) {
      if (!(error instanceof FileLostError)) throw error;
      lost.push(file);
    }
  }
  return lost;
}
