import type { FileHandle } from "node:fs/promises";
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { pipeline } from "node:stream/promises";
import type { LinkConfig } from "../host/config.ts";
import { guarded } from "../host/guard.ts";

/** Read from the disk at a time. */
const CHUNK_BYTES = 64 * 1024;

/** What the sidecar said. `offset` are the bytes that it has. */
export type Answer = {
  status: number;
  offset: number | undefined;
  isComplete: boolean;
  /** The file could not be read to its end: what the sidecar said is about a part of it. */
  bodyFailed: boolean;
};

/** The rest of a file, from `offset` on. */
type Body = { handle: FileHandle; offset: number; sizeBytes: number };

export type MediaRequest = {
  method: "HEAD" | "PATCH";
  config: LinkConfig;
  path: string;
  body?: Body;
  /** The request fails when nothing moves for so long. */
  silenceMs: number;
  signal: AbortSignal;
};

/** One request about a file. Rejects if there is no answer: the network, silence, or aborted. */
export async function request(options: MediaRequest): Promise<Answer> {
  const { method, config, path, body, silenceMs, signal } = options;
  signal.throwIfAborted();
  // We close, not the sidecar. If it closed with some of the body unread, the connection would be reset and its answer lost.
  const headers: Record<string, string | number> = {
    authorization: `Bearer ${config.token}`,
    connection: "keep-alive",
  };
  if (body !== undefined) {
    headers["content-type"] = "application/octet-stream";
    headers["content-length"] = body.sizeBytes - body.offset;
    headers["upload-offset"] = body.offset;
    headers["upload-length"] = body.sizeBytes;
  }
  // A connection for each: one that is kept open may be closed by the other side just when it is used again.
  const sent = httpRequest({ ...addressOf(config), method, path, agent: false, headers, signal });
  const answer = answerTo(sent);
  const silent = () => sent.destroy(new Error("nothing moved for too long"));
  sent.setTimeout(
    silenceMs,
    guarded(silent, () => sent.destroy()),
  );
  if (body === undefined) sent.end();
  const failure = body === undefined ? undefined : await pour(sent, body, answer);
  try {
    return { ...(await answer), bodyFailed: false };
  } catch (error) {
    if (failure === undefined || signal.aborted) throw error;
    return { status: 0, offset: undefined, isComplete: false, bodyFailed: true };
  }
}

/** The sidecar's HTTP is on the address of its WebSocket. */
function addressOf({ url }: LinkConfig): RequestOptions {
  if (url.startsWith("ws+unix:")) return { socketPath: url.slice("ws+unix:".length).replace(/:\/$/, "") };
  const { hostname, port } = new URL(url);
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 80 : Number(port) };
}

/**
 * Sends the body as fast as the sidecar takes it, to its end or until an answer comes. Returns what was wrong with our
 * file. What was wrong with the connection shows in `answer`.
 */
async function pour(sent: ClientRequest, body: Body, answer: Promise<unknown>): Promise<Error | undefined> {
  let failure: Error | undefined;
  const chunks = async function* () {
    try {
      yield* read(body);
    } catch (error) {
      failure = error as Error;
      throw error;
    }
  };
  // An answer before the end of the body is a refusal: the rest is not worth sending.
  const answered = new AbortController();
  const stop = () => answered.abort();
  void answer.then(stop, stop);
  await pipeline(chunks, sent, { signal: answered.signal }).catch(() => sent.destroy());
  return failure;
}

async function* read({ handle, offset, sizeBytes }: Body): AsyncGenerator<Buffer> {
  for (let position = offset; position < sizeBytes; ) {
    const wanted = Math.min(CHUNK_BYTES, sizeBytes - position);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
    if (bytesRead === 0) throw new Error("the file was cut short");
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function answerTo(sent: ClientRequest): Promise<Omit<Answer, "bodyFailed">> {
  const { promise, resolve, reject } = Promise.withResolvers<Omit<Answer, "bodyFailed">>();
  const answered = (response: IncomingMessage) => {
    const offset = Number(response.headers["upload-offset"]);
    resolve({
      status: response.statusCode ?? 0,
      offset: Number.isSafeInteger(offset) && offset >= 0 ? offset : undefined,
      isComplete: response.headers["upload-complete"] === "?1",
    });
    response.on("error", () => undefined);
    response.resume();
  };
  sent.on("response", guarded(answered, reject));
  sent.on("error", reject);
  sent.on(
    "close",
    guarded(() => reject(new Error("the connection was closed without an answer")), reject),
  );
  // Whoever waits for it does so later.
  promise.catch(() => undefined);
  return promise;
}
