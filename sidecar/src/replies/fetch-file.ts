import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { VERSION } from "@hotbags/shared";
import { Agent, type Dispatcher } from "undici";
import { MAX_MEDIA_BYTES, type ReplyFile } from "../commands/index.ts";
import { isPublicAddress } from "./public-address.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** From the first connection to the last byte, over all redirects. */
const TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 3;
const MAX_HEADERS_BYTES = 16 * 1024;

/** What the bridge may reach; tests have another. */
export interface Reach {
  isAllowed(address: string): boolean;
  /** Certificates to trust besides those of Node. */
  ca?: string;
}

const INTERNET: Reach = { isAllowed: isPublicAddress };

/** The file is not to be had. The message completes "its file could not be fetched: "; it names no URL. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  /** The same may go well a moment later. */
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean) {
    super(message);
    this.isPassing = isPassing;
  }
}

/**
 * The file at an https URL of a backend that can be mistaken, or be deceived by somebody else: no address of this
 * machine or its network is asked, whatever its name or a redirect leads to. The address that was looked at is the one
 * that is connected to, so that no name can change in between. Throws FetchError.
 */
export async function fetchFile(url: URL, signal: AbortSignal, reach = INTERNET): Promise<ReplyFile> {
  const agent = new Agent({
    connect: { lookup: guarded(reach), timeout: CONNECT_TIMEOUT_MS, ...(reach.ca !== undefined && { ca: reach.ca }) },
    maxHeaderSize: MAX_HEADERS_BYTES,
    // Of all that, the time as a whole counts: the signal below sees to it.
    ...{ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
  });
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    return await follow(url, agent, within, reach);
  } catch (error) {
    throw error instanceof FetchError ? error : new FetchError(wordsFor(error), true);
  } finally {
    await agent.destroy();
  }
}

async function follow(first: URL, agent: Agent, signal: AbortSignal, reach: Reach): Promise<ReplyFile> {
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    if (url.protocol !== "https:") throw new FetchError("it redirects to what is not https", false);
    // Of an address, nobody looks up a name.
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) !== 0 && !reach.isAllowed(host)) throw new FetchError(PRIVATE, false);
    const response = await agent.request({
      ...{ origin: url.origin, path: url.pathname + url.search, method: "GET", signal },
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": `hotbags-bridge/${VERSION}` },
    });
    if (![301, 302, 303, 307, 308].includes(response.statusCode)) return await read(response);
    await response.body.dump({ limit: MAX_HEADERS_BYTES }).catch(() => {});
    const next = URL.parse(String(response.headers["location"] ?? ""), url.href);
    if (!next) throw new FetchError("it redirects to nowhere", false);
    if (redirects === MAX_REDIRECTS) throw new FetchError(`it redirects more than ${MAX_REDIRECTS} times`, false);
    url = next;
  }
}

const PRIVATE = "its address is not of the public internet";

/** Node asks for the address of each name by this, and connects to what it gives. */
function guarded({ isAllowed }: Reach): LookupFunction {
  return (hostname, options, callback) => {
    systemLookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[] = []) => {
      const [first] = addresses;
      // One that is not allowed among others is no mistake, but an attempt.
      if (!error && (!first || !addresses.every(({ address }) => isAllowed(address))))
        return callback(new FetchError(PRIVATE, false), "", 0);
      if (options.all) return callback(error, addresses);
      callback(error, first?.address ?? "", first?.family);
    });
  };
}

async function read({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<ReplyFile> {
  if (statusCode !== 200) {
    await body.dump({ limit: MAX_HEADERS_BYTES }).catch(() => {});
    throw new FetchError(
      `it was answered with ${statusCode}`,
      statusCode >= 500 || [408, 425, 429].includes(statusCode),
    );
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") throw new FetchError("it comes compressed", false);
  const tooLarge = new FetchError(`it has more than ${MAX_MEDIA_BYTES} bytes`, false);
  if (Number(headers["content-length"] ?? 0) > MAX_MEDIA_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_MEDIA_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  if (size === 0) throw new FetchError("it is empty", false);
  const type = String(headers["content-type"] ?? "")
    .split(";")[0]
    ?.trim()
    .toLowerCase();
  return { bytes: Buffer.concat(chunks), type: type || "application/octet-stream" };
}

/** What the network says, without a name or an address: they can be anybody's. */
function wordsFor(error: unknown): string {
  const { name = "", code = "" } = error as { name?: string; code?: string };
  if (name === "TimeoutError") return `it took more than ${TIMEOUT_MS / 1_000} s`;
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? `the connection failed (${code})` : "the connection failed";
}
