import type { Readable } from "node:stream";
import { promisify } from "node:util";
import {
  brotliDecompress,
  constants,
  gunzip,
  inflate,
  inflateRaw,
  type ZlibOptions,
  type ZstdOptions,
  zstdDecompress,
} from "node:zlib";

/** Largest answer, bytes, as it came and unpacked. Commands are short texts; what is larger is no answer of ours. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Most codings on top of each other. Nobody needs a second one, and each costs a pass. */
const MAX_CODINGS = 4;

/** The largest window of zstd in HTTP (RFC 9659), as a power of two. Without it a few bytes can ask for 128 MiB. */
const ZSTD_WINDOW_LOG_MAX = 23;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** An answer that can't be read. The message completes "Hot Bags answered 200 with". */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

/** Most pieces one behind the other. Each costs a pass, and an empty one takes nine bytes. */
const MAX_PIECES = 100;

interface Decoder {
  /** Also tells how many bytes it took: none of these functions minds what stands behind the end. */
  decode(bytes: Buffer, maxOutputLength: number): Promise<{ buffer: Buffer; consumed: number }>;
  /** What stands behind the end may be another piece, which goes on where the first one ended (RFC 1952, 2.2; RFC 8878, 3). */
  readonly isSerial: boolean;
}

type Unpack = (
  bytes: Buffer,
  options: ZlibOptions & ZstdOptions & { info: true },
  done: (error: Error | null, result: unknown) => void,
) => void;

function decoder(unpackerFor: (bytes: Buffer) => unknown, isSerial: boolean, params?: ZstdOptions["params"]): Decoder {
  const decode = async (bytes: Buffer, maxOutputLength: number) => {
    const unpack = promisify(unpackerFor(bytes) as Unpack);
    const options = { maxOutputLength, info: true as const, ...(params && { params }) };
    const { buffer, engine } = (await unpack(bytes, options)) as { buffer: Buffer; engine: { bytesWritten: number } };
    return { buffer, consumed: engine.bytesWritten };
  };
  return { decode, isSerial };
}

/** Some servers leave out the zlib wrapper, which begins with 8 in its low four bits (RFC 1950; RFC 9110, 8.4.1.2). */
const inflateFor = (bytes: Buffer) => (((bytes[0] ?? 0) & 0x0f) === 8 ? inflate : inflateRaw);

const asGzip = decoder(() => gunzip, true);

/** By the name in `Content-Encoding`, lower case. */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ["gzip", asGzip],
  ["x-gzip", asGzip],
  ["deflate", decoder(inflateFor, false)],
  ["br", decoder(() => brotliDecompress, false)],
  ["zstd", decoder(() => zstdDecompress, true, { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX })],
]);

/** HTTP's others, by which one can be told from any other word (IANA, HTTP Content Coding Registry). */
const OTHER_CODINGS: ReadonlySet<string> = new Set("aes128gcm compress dcb dcz exi pack200-gzip x-compress".split(" "));

/**
 * The text of an answer's body: unpacked as `Content-Encoding` says, as UTF-8, without a byte order mark. Reads and
 * unpacks no more than MAX_ANSWER_BYTES. Throws AnswerError, and what `body` throws when the connection breaks.
 */
export async function readAnswer(body: Readable, contentEncoding: string | string[] | undefined): Promise<string> {
  let bytes = await readAll(body);
  // The last coding that was applied is the first to be undone. Nothing at all is nothing in every coding.
  if (bytes.length > 0) for (const coding of codingsIn(contentEncoding).reverse()) bytes = await decode(bytes, coding);
  try {
    return UTF8.decode(bytes);
  } catch {
    // Decoders put U+FFFD in their place unless told otherwise: that would be on a customer's phone, and nobody knew.
    throw new AnswerError("bytes that are not UTF-8: encode the JSON as UTF-8");
  }
}

/** By events: `for await` takes a tenth of what an answer costs in memory. */
function readAll(body: Readable): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  body.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) body.destroy(new AnswerError(`more than ${MAX_ANSWER_BYTES} bytes`));
    else chunks.push(chunk);
  });
  body.once("end", () => resolve(Buffer.concat(chunks)));
  body.once("error", reject);
  return promise;
}

function codingsIn(header: string | string[] | undefined): string[] {
  if (header === undefined) return [];
  const names = String(header)
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length > MAX_CODINGS)
    throw new AnswerError(`more than ${MAX_CODINGS} content encodings on top of each other`);
  return names;
}

async function decode(bytes: Buffer, coding: string): Promise<Buffer> {
  const decoder = DECODERS.get(coding);
  if (!decoder) {
    const known = [...DECODERS.keys()].join(", ");
    const named = OTHER_CODINGS.has(coding)
      ? `the content encoding "${coding}"`
      : "a content encoding that HTTP has not";
    throw new AnswerError(`${named}: only ${known} are known here`);
  }
  try {
    return await decodeAll(bytes, decoder);
  } catch (error) {
    if (error instanceof AnswerError) throw error;
    if (error instanceof RangeError) throw new AnswerError(`more than ${MAX_ANSWER_BYTES} bytes once unpacked`);
    throw new AnswerError(
      `a body that is not the ${coding} that its Content-Encoding says, has more behind its end, or is cut short`,
    );
  }
}

/** To the last byte: what stands behind the end was meant by somebody, and nobody knows for what. */
async function decodeAll(bytes: Buffer, { decode, isSerial }: Decoder): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let left = MAX_ANSWER_BYTES;
  for (let rest = bytes; rest.length > 0; ) {
    if (pieces.length === MAX_PIECES) throw new AnswerError(`a body in more than ${MAX_PIECES} pieces`);
    if (pieces.length > 0 && !isSerial) throw new Error("something stands behind the end");
    // Zero would mean no limit to some of them; one byte too many is found all the same.
    const { buffer, consumed } = await decode(rest, Math.max(left, 1));
    if (consumed === 0 || buffer.length > left) throw new RangeError("too much, or nothing that ends");
    pieces.push(buffer);
    left -= buffer.length;
    rest = rest.subarray(consumed);
  }
  return Buffer.concat(pieces);
}
