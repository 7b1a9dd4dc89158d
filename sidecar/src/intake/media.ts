import type { IncomingMessage, ServerResponse } from "node:http";
import { LogThrottle, MAX_FILE_BYTES, MEDIA_PATH } from "@hotbags/shared";
import type { Logger } from "pino";
import type { Files, Received } from "../store/index.ts";
import { LogBudget } from "./log-budget.ts";

/**
 * Files that may be coming in at once. Each takes one connection and some 100 KiB of memory; the listener has
 * connections to spare beyond them.
 */
export const MAX_UPLOADS = 8;

/** Nothing but a hash in lower-case hex is ever made part of a path. */
const FILE = new RegExp(`^${MEDIA_PATH}([0-9a-f]{64})$`);

interface Upload {
  /** Ends it; what has arrived stays. */
  cut(): void;
  /** Resolves when nothing more is written. */
  done: Promise<void>;
}

/** Takes the attachments' bytes in, as docs/wire.md describes under "Files". Who may ask is the listener's affair. */
export class MediaIntake {
  readonly #files: Files;
  readonly #log: Logger;
  /** The newest upload of each file. */
  readonly #uploads = new Map<string, Upload>();
  readonly #logThrottle = new LogThrottle();
  readonly #refusals = new LogBudget();

  constructor(files: Files, log: Logger) {
    this.#files = files;
    this.#log = log;
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sha256 = FILE.exec(request.url ?? "")?.[1];
    if (sha256 === undefined)
      return refuse(response, 400, `a file is named ${MEDIA_PATH}<its SHA-256 in lower-case hex>`);
    if (request.method !== "HEAD" && request.method !== "PATCH") {
      response.setHeader("allow", "HEAD, PATCH");
      return refuse(response, 405, "use HEAD or PATCH");
    }
    try {
      if (request.method === "HEAD") await this.#tell(sha256, response);
      else await this.#take(sha256, request, response);
    } catch (error) {
      this.#logThrottle.log(() => this.#log.error({ err: error, sha256, alarm: true }, "a file can't be stored"));
      // What is left of the body is not worth reading.
      response.setHeader("connection", "close");
      request.resume();
      refuse(response, 503, "the sidecar can't store files just now");
    }
  }

  /** Ends what is coming in. */
  async stop(): Promise<void> {
    const uploads = [...this.#uploads.values()];
    for (const upload of uploads) upload.cut();
    await Promise.all(uploads.map(({ done }) => done));
  }

  async #tell(sha256: string, response: ServerResponse): Promise<void> {
    const whole = await this.#files.keep(sha256);
    const bytes = whole ?? this.#files.partSizeOf(sha256);
    if (bytes === 0 && whole === undefined) return refuse(response, 404, "nothing of it is here");
    progress(response, 204, bytes, whole !== undefined);
  }

  async #take(sha256: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { "upload-length": announced, "upload-offset": from } = request.headers;
    if (announced === undefined)
      return refuse(response, 411, "Upload-Length must say how many bytes the whole file has");
    const [length, offset] = [wholeNumber(announced), wholeNumber(from)];
    if (length === undefined || offset === undefined || offset > length)
      return refuse(
        response,
        400,
        "Upload-Length and Upload-Offset must be whole numbers, and no offset beyond the length",
      );
    if (length > MAX_FILE_BYTES) return refuse(response, 413, `a file may have ${MAX_FILE_BYTES} bytes`);
    const earlier = this.#uploads.get(sha256);
    if (!earlier && this.#uploads.size >= MAX_UPLOADS) {
      response.setHeader("connection", "close");
      return refuse(response, 503, `${MAX_UPLOADS} files are coming in already`);
    }
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    const upload: Upload = { cut: () => void request.destroy(), done };
    this.#uploads.set(sha256, upload);
    try {
      earlier?.cut();
      await earlier?.done;
      const { givenUp } = this.#files.status;
      const received = await this.#files.receive(sha256, { offset, length, body: bodyOf(request) });
      const files = this.#files.status.givenUp - givenUp;
      if (files > 0) this.#log.info({ files }, "gave up files of delivered messages to make room");
      this.#report(sha256, received, response);
    } catch (error) {
      // There is nobody to answer, and what has arrived is on disk.
      if (!(error instanceof CutOff)) throw error;
    } finally {
      if (this.#uploads.get(sha256) === upload) this.#uploads.delete(sha256);
      end();
    }
  }

  #report(sha256: string, received: Received, response: ServerResponse): void {
    switch (received.kind) {
      case "whole":
      case "part":
        return progress(response, 204, received.bytes, received.kind === "whole");
      case "wrong_offset":
        return progress(response, 409, received.bytes, false);
      case "wrong_hash":
        this.#logRefusal({ sha256 }, "its bytes have another hash");
        return refuse(response, 422, "the file's bytes have another hash; start again");
      case "too_long":
        response.setHeader("connection", "close");
        return refuse(response, 400, "the body goes on beyond Upload-Length");
      case "no_room":
        this.#logRefusal({ sha256, alarm: true }, "BRIDGE_MEDIA_STORE_BYTES is used up");
        return refuse(response, 507, "the sidecar keeps no more files (BRIDGE_MEDIA_STORE_BYTES)");
    }
  }

  #logRefusal(about: { sha256: string; alarm?: true }, why: string): void {
    this.#refusals.log((left) => {
      const level = about.alarm ? "error" : "warn";
      this.#log[level]({ ...about, ...left.fields }, `file refused: ${why}${left.note}`);
    });
  }
}

/** The sender has left, or was made to: no trouble of the disk, also where all of the body had come. */
class CutOff extends Error {}

async function* bodyOf(request: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    // An early answer must not take the connection along, so neither may the end of the loop that reads the body.
    yield* request.iterator({ destroyOnReturn: false });
  } catch (error) {
    throw new CutOff("the upload was cut off", { cause: error });
  }
}

function wholeNumber(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

function progress(response: ServerResponse, status: 204 | 409, bytes: number, complete: boolean): void {
  response.writeHead(status, { "upload-offset": bytes, "upload-complete": complete ? "?1" : "?0" });
  response.end();
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify({ error: reason })}\n`);
}
