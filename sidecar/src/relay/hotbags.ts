import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { CONTRACT_VERSION, codeOf, transportSessionId, VERSION } from "@hotbags/shared";
import { type Dispatcher, errors, Pool } from "undici";
import { FileLostError, type PendingMessage } from "../store/index.ts";
import { AnswerError, readAnswer } from "./answer.ts";
import type { Body } from "./body.ts";
import { type Outcome, readCommands } from "./outcome.ts";
import { retryAfterMs } from "./retry-after.ts";
import { ofAnswer, type Symptom, withoutAnswer } from "./symptom.ts";

export interface HotBagsOptions {
  baseUrl: URL;
  /** Where messages are taken, below `baseUrl`. */
  inboundPath: string;
  bearerToken: string;
  /** Signs every body when set. */
  hmacSecret: string | null;
  /** Go along with each request, such as one that gets it past a firewall. Secret. */
  extraHeaders: Readonly<Record<string, string>>;
  /** Until a connection is there, ms; 0: no limit of its own. */
  connectTimeoutMs: number;
  /** And from then on to the last byte of the answer, ms. */
  timeoutMs: number;
  /** Longest wait that a `Retry-After` can ask for, ms. */
  maxRetryAfterMs: number;
  connections: number;
}

/** Nothing has left this machine, whatever the message is. */
const UNREACHABLE = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EHOSTDOWN"],
  ...["EADDRNOTAVAIL", "EMFILE", "ENFILE", "UND_ERR_CONNECT_TIMEOUT"],
]);

/** Of the signal, and of undici. */
const TIMEOUTS = new Set(["TimeoutError", "HeadersTimeoutError"]);

/** What Node says of a certificate that it does not take, or of a port that speaks no TLS. */
const TLS = /CERT|^UNABLE_TO_|^ERR_TLS_|^ERR_SSL_|^EPROTO$|SIGNATURE/;

/** What undici says of a 100 Continue, over which it ends the connection (nodejs/undici#197; client-h1.js). */
const UNASKED_CONTINUE = "bad response";

/** Most headers of an answer, bytes. Node's own limit, unless somebody starts it with another. */
const MAX_HEADERS_BYTES = 16 * 1024;

/**
 * What is read of the body behind a status that says it all, and for how long, ms: to its end, it leaves the connection
 * for the next message. But its chat waits meanwhile.
 */
const MAX_REST_BYTES = 64 * 1024;
const MAX_REST_MS = 1_000;

/** Hot Bags over HTTP: one POST a call, its end told as an outcome, never thrown. */
export class HotBags {
  readonly #options: HotBagsOptions;
  readonly #pool: Pool;
  readonly #url: URL;
  /** Made once: a key object signs six times faster than a raw secret. */
  readonly #key: KeyObject | null;

  constructor(options: HotBagsOptions) {
    this.#options = options;
    const { baseUrl, inboundPath, connections, connectTimeoutMs } = options;
    this.#url = new URL(baseUrl.pathname.replace(/\/+$/, "") + inboundPath, baseUrl.origin);
    this.#pool = new Pool(baseUrl.origin, {
      ...{ connections, pipelining: 1, connect: { timeout: connectTimeoutMs } },
      maxHeaderSize: MAX_HEADERS_BYTES,
      // Of an answer that has begun, its end counts: the signal below sees to that.
      bodyTimeout: 0,
    });
    this.#key = options.hmacSecret === null ? null : createSecretKey(Buffer.from(options.hmacSecret));
  }

  async post(message: PendingMessage, body: Body): Promise<Outcome> {
    const { connectTimeoutMs, timeoutMs } = this.#options;
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await this.#pool.request({
        method: "POST",
        path: this.#url.pathname,
        headers: await this.#headers(message, body),
        body: body.open(),
        headersTimeout: timeoutMs,
        signal: AbortSignal.timeout(connectTimeoutMs + timeoutMs),
      });
      return await this.#read(response);
    } catch (error) {
      return { kind: "failed", symptom: this.#symptomOf(error, response !== undefined) };
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #read({ statusCode: status, headers, body }: Dispatcher.ResponseData): Promise<Outcome> {
    const header = headers["retry-after"];
    const wait = retryAfterMs(Array.isArray(header) ? header[0] : header, Date.now(), this.#options.maxRetryAfterMs);
    const failed = (what?: Parameters<typeof ofAnswer>[4]): Outcome => ({
      kind: "failed",
      symptom: ofAnswer(status, headers, this.#url, wait, what),
    });
    if (status < 200 || status >= 300) {
      // What it says beside its status is of no use to us, nor is how it ends.
      await body.dump({ limit: MAX_REST_BYTES, signal: AbortSignal.timeout(MAX_REST_MS) }).catch(() => {});
      return failed();
    }
    try {
      const text = await readAnswer(body, headers["content-encoding"]);
      const reading = readCommands(status, text, String(headers["content-type"] ?? ""));
      return reading.ok ? { kind: "answered", status, ...reading } : failed(reading);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      return failed({ trouble: "contract", what: error.message });
    }
  }

  async #headers(message: PendingMessage, body: Body): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      ...this.#options.extraHeaders,
      authorization: `Bearer ${this.#options.bearerToken}`,
      "idempotency-key": message.message_id,
      "x-idempotency-key": message.message_id,
      "x-transport-session-id": transportSessionId(message.account_id),
      "content-type": "application/json",
      // Answers are short: a plain one is the cheapest to make and to read. What comes compressed all the same is read.
      "accept-encoding": "identity",
      "content-length": String(body.byteLength),
      "x-hotbags-contract": String(CONTRACT_VERSION),
      "user-agent": `hotbags-bridge/${VERSION}`,
    };
    if (this.#key) {
      const hmac = createHmac("sha256", this.#key);
      for await (const piece of body.pieces()) hmac.update(piece);
      headers["x-hotbags-signature"] = `sha256=${hmac.digest("hex")}`;
    }
    return headers;
  }

  /** Network errors by their code alone: their messages can hold what was on the wire. `hasBegun`: an answer had. */
  #symptomOf(error: unknown, hasBegun: boolean): Symptom {
    const there = (...[trouble, seen]: [Parameters<typeof withoutAnswer>[0], string]) =>
      withoutAnswer(trouble, seen, this.#url);
    if (error instanceof Error && TIMEOUTS.has(error.name))
      return there("timeout", `Hot Bags did not answer within ${this.#options.timeoutMs} ms`);
    // It was there a moment ago: the next attempt finds it missing, and says so in the body.
    if (error instanceof FileLostError) return there("file", "a file of the message can't be read");
    const code = codeOf(error) || "unknown error";
    if (code === "UND_ERR_SOCKET" && error instanceof Error && error.message === UNASKED_CONTINUE)
      return there("continue", "Hot Bags, or a proxy in front of it, sent 100 Continue unasked, which can't be read");
    if (UNREACHABLE.has(code)) return there("unreachable", `Hot Bags can't be reached (${code})`);
    if (error instanceof errors.HTTPParserError && !hasBegun)
      return there("not-http", "what came back from Hot Bags' address is not HTTP");
    if (error instanceof errors.HeadersOverflowError)
      return there("headers", `Hot Bags answered with more than ${MAX_HEADERS_BYTES / 1024} KiB of headers`);
    if (TLS.test(code)) return there("tls", `no encrypted connection to Hot Bags comes about (${code})`);
    return there("broken", `the connection to Hot Bags broke before the end of the answer (${code})`);
  }
}
