import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { CONTRACT_VERSION, transportSessionId, VERSION } from "@hotbags/shared";
import { type Dispatcher, Pool } from "undici";
import type { PendingMessage } from "../store/index.ts";
import type { Body } from "./body.ts";
import { MAX_HEADERS_BYTES, ofError } from "./network-error.ts";
import type { Outcome } from "./outcome.ts";
import { outcomeOf } from "./response.ts";

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
    const { connectTimeoutMs, timeoutMs, maxRetryAfterMs } = this.#options;
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
      return await outcomeOf(response, this.#url, maxRetryAfterMs);
    } catch (error) {
      return {
        kind: "failed",
        symptom: ofError(error, { hasBegun: response !== undefined, timeoutMs, url: this.#url }),
      };
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
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
}
