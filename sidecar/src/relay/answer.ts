import { promisify } from "node:util";
import { brotliDecompress, constants, gunzip, inflate, inflateRaw, zstdDecompress } from "node:zlib";

/** Largest answer, bytes, as it came and unpacked. Commands are short texts; what is larger is no answer of ours. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Most codings on top of each other. Nobody needs a second one, and each costs a pass. */
const MAX_CODINGS = 4;

/** The largest window of zstd in HTTP (RFC 9659), as a power of two. Without it a few bytes can ask for 128 MiB. */
const ZSTD_WINDOW_LOG_MAX = 23;

/** An answer that can't be read. The message completes "Hot Bags answered 200 with". */
export class AnswerError extends Error {
  override readonly name = "AnswerError";
}

type Decoder = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const asGzip: Decoder = promisify(gunzip);
const asZlib: Decoder = promisify(inflate);
const asBareDeflate: Decoder = promisify(inflateRaw);
const asBrotli: Decoder = promisify(brotliDecompress);
const asZstd: Decoder = (bytes, options) =>
  promisify(zstdDecompress)(bytes, {
    ...options,
    params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
  });
/** Some servers leave out the zlib wrapper, which begins with 8 in its low four bits (RFC 1950; RFC 9110, 8.4.1.2). */
const asDeflate: Decoder = (bytes, options) =>
  (((bytes[0] ?? 0) & 0x0f) === 8 ? asZlib : asBareDeflate)(bytes, options);

/** By the name in `Content-Encoding`, lower case. */
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ["gzip", asGzip],
  ["x-gzip", asGzip],
  ["deflate", asDeflate],
  ["br", asBrotli],
  ["zstd", asZstd],
]);

/**
 * The text of an answer's body: unpacked as `Content-Encoding` says, as UTF-8, without a byte order mark. Reads and
 * unpacks no more than MAX_ANSWER_BYTES. Throws AnswerError, and what `body` throws when the connection breaks.
 */
export async function readAnswer(
  body: AsyncIterable<Buffer>,
  contentEncoding: string | string[] | undefined,
): Promise<string> {
  let bytes = await readAll(body);
  // The last coding that was applied is the first to be undone. Nothing at all is nothing in every coding.
  if (bytes.length > 0) for (const coding of codingsIn(contentEncoding).reverse()) bytes = await decode(bytes, coding);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Decoders put U+FFFD in their place unless told otherwise: that would be on a customer's phone, and nobody knew.
    throw new AnswerError("bytes that are not UTF-8: encode the JSON as UTF-8");
  }
}

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new AnswerError(`more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function codingsIn(header: string | string[] | undefined): string[] {
  const names = String(header ?? "")
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
    throw new AnswerError(`the content encoding ${JSON.stringify(coding.slice(0, 32))}: only ${known} are known here`);
  }
  try {
    return await decoder(bytes, { maxOutputLength: MAX_ANSWER_BYTES });
  } catch (error) {
    if (error instanceof RangeError) throw new AnswerError(`more than ${MAX_ANSWER_BYTES} bytes once unpacked`);
    throw new AnswerError(`a body that is not the ${coding} that its Content-Encoding says, or is cut short`);
  }
}
