import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { MAX_FILE_BYTES, MEDIA_PATH } from "@hotbags/shared";

export type MediaRequest = {
  method: "HEAD" | "PATCH";
  sha256: string;
  /** What the PATCH said that is here already. */
  offset: number;
  receivedBytes: number;
};

/** The sidecar's end of docs/wire.md, "Files", in memory. What a test wants to go wrong, it says here. */
export class ScratchMedia {
  readonly files = new Map<string, Buffer>();
  readonly requests: MediaRequest[] = [];
  readonly violations: string[] = [];
  /** A status to answer with instead, before anything of the body is read. */
  refuses: (request: MediaRequest) => number | undefined = () => undefined;
  /** Cuts the connection of a PATCH after so many bytes. */
  cutsAfter: (request: MediaRequest) => number = () => Number.POSITIVE_INFINITY;
  /** PATCHes are read only when this resolves. */
  gate: (request: MediaRequest) => Promise<void> | undefined = () => undefined;
  /** PATCHes that are being read, and the most that there were at once. */
  open = 0;
  mostOpen = 0;
  /** The PATCH that counts for a file is the last one. */
  readonly #reading = new Map<string, IncomingMessage>();

  has(sha256: string): boolean {
    const bytes = this.files.get(sha256);
    return bytes !== undefined && createHash("sha256").update(bytes).digest("hex") === sha256;
  }

  patches(sha256?: string): MediaRequest[] {
    return this.requests.filter((one) => one.method === "PATCH" && (sha256 === undefined || one.sha256 === sha256));
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sha256 = (request.url ?? "").slice(MEDIA_PATH.length);
    const { method } = request;
    if (!request.url?.startsWith(MEDIA_PATH) || (method !== "HEAD" && method !== "PATCH")) {
      this.violations.push(`${method} ${request.url}`);
      return void response.writeHead(405).end();
    }
    const asked = { method, sha256, offset: Number(request.headers["upload-offset"] ?? 0), receivedBytes: 0 } as const;
    const seen: MediaRequest = { ...asked };
    this.requests.push(seen);
    const refusal = this.refuses(seen);
    if (refusal !== undefined) return void response.writeHead(refusal).end();
    const here = this.files.get(sha256);
    if (method === "HEAD") return here === undefined ? void response.writeHead(404).end() : this.#say(response, sha256);
    await this.#take(request, response, seen, here ?? Buffer.alloc(0));
  }

  async #take(request: IncomingMessage, response: ServerResponse, seen: MediaRequest, here: Buffer): Promise<void> {
    const length = Number(request.headers["upload-length"]);
    if (length > MAX_FILE_BYTES) return void response.writeHead(413).end();
    if (seen.offset !== here.length) {
      return void response.writeHead(409, { "upload-offset": here.length }).end();
    }
    this.#reading.get(seen.sha256)?.destroy();
    this.#reading.set(seen.sha256, request);
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const chunks: Buffer[] = [here];
    try {
      await this.gate(seen);
      const limit = this.cutsAfter(seen);
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const taken = chunk.subarray(0, Math.max(0, limit - seen.receivedBytes));
        seen.receivedBytes += taken.length;
        chunks.push(taken);
        if (seen.receivedBytes >= limit) return void request.destroy();
      }
    } catch {
      // The plugin went away; what came stays.
      return;
    } finally {
      this.open -= 1;
      if (this.#reading.get(seen.sha256) === request) this.files.set(seen.sha256, Buffer.concat(chunks));
    }
    const now = this.files.get(seen.sha256) ?? Buffer.alloc(0);
    if (now.length === length && !this.has(seen.sha256)) {
      this.files.delete(seen.sha256);
      return void response.writeHead(422).end();
    }
    this.#say(response, seen.sha256);
  }

  #say(response: ServerResponse, sha256: string): void {
    const isComplete = this.has(sha256) ? "?1" : "?0";
    const offset = this.files.get(sha256)?.length ?? 0;
    response.writeHead(204, { "upload-offset": offset, "upload-complete": isComplete }).end();
  }
}
