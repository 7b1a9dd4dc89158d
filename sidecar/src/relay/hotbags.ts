import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { codeOf, INBOUND_PATH, transportSessionId, VERSION } from "@hotbags/shared";
import { type Dispatcher, Pool } from "undici";
import { FileLostError, type PendingMessage } from "../store/index.ts";
import { AnswerError, readAnswer } from "./answer.ts";
import type { Body } from "./body.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { retryAfterMs } from "./retry-after.ts";

export interface HotBagsOptions {
  baseUrl: URL;
  bearerToken: string;
  /** Signs every body when set. */
  hmacSecret: string | null;
  /** Whole request, from connecting to the last byte of the answer, ms. */
  timeoutMs: number;
  /** Longest wait that a `Retry-After` can ask for, ms. */
  maxRetryAfterMs: number;
  connections: number;
}

/** The request may have got there: the connection was up. */
const BROKEN_OFF = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** What undici says of a 100 Continue, over which it ends the connection (nodejs/undici#197; client-h1.js). */
const UNASKED_CONTINUE = "bad response";

/** Hot Bags over HTTP: one POST a call, judged, never thrown. */
export class HotBags {
  readonly #options: HotBagsOptions;
  readonly #pool: Pool;
  readonly #path: string;
  /** Made once: a key object signs six times faster than a raw secret. */
  readonly #key: KeyObject | null;

  constructor(options: HotBagsOptions) {
    this.#options = options;
    this.#pool = new Pool(options.baseUrl.origin, { connections: options.connections, pipelining: 1 });
    this.#path = options.baseUrl.pathname.replace(/\/+$/, "") + INBOUND_PATH;
    this.#key = options.hmacSecret === null ? null : createSecretKey(Buffer.from(options.hmacSecret));
  }

  async post(message: PendingMessage, body: Body): Promise<Outcome> {
    try {
      const response = await this.#pool.request({
        method: "POST",
        path: this.#path,
        headers: await this.#headers(message, body),
        body: body.open(),
        signal: AbortSignal.timeout(this.#options.timeoutMs),
      });
      return await this.#judge(response);
    } catch (error) {
      return { kind: "backend", status: null, error: this.#describe(error) };
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #judge({ statusCode: status, headers, body }: Dispatcher.ResponseData): Promise<Outcome> {
    const header = headers["retry-after"];
    const wait = retryAfterMs(Array.isArray(header) ? header[0] : header, Date.now(), this.#options.maxRetryAfterMs);
    if (status < 200 || status >= 300) {
      // What it says beside its status is of no use to us; read, it leaves the connection for the next message.
      await body.dump();
      return outcomeOf(status, "", wait);
    }
    try {
      return outcomeOf(status, await readAnswer(body, headers["content-encoding"]), wait);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      return { kind: "message", status, error: `Hot Bags answered ${status} with ${error.message}` };
    }
  }

  async #headers(message: PendingMessage, body: Body): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${this.#options.bearerToken}`,
      "idempotency-key": message.message_id,
      "x-idempotency-key": message.message_id,
      "x-transport-session-id": transportSessionId(message.account_id),
      "content-type": "application/json",
      // Answers are short: a plain one is the cheapest to make and to read. What comes compressed all the same is read.
      "accept-encoding": "identity",
      "content-length": String(body.byteLength),
      "user-agent": `hotbags-bridge/${VERSION}`,
    };
    if (this.#key) {
      const hmac = createHmac("sha256", this.#key);
      for await (const piece of body.pieces()) hmac.update(piece);
      headers["x-hotbags-signature"] = `sha256=${hmac.digest("hex")}`;
    }
    return headers;
  }

  /** Network errors by their code alone: their messages can hold what was on the wire. */
  #describe(error: unknown): string {
    if (error instanceof Error && error.name === "TimeoutError")
      return `Hot Bags did not answer within ${this.#options.timeoutMs} ms`;
    // It was there a moment ago: the next attempt finds it missing, and says so in the body.
    if (error instanceof FileLostError) return "a file of the message can't be read";
    const code = codeOf(error) || "unknown error";
    if (code === "UND_ERR_SOCKET" && error instanceof Error && error.message === UNASKED_CONTINUE)
      return "Hot Bags, or a proxy in front of it, sent 100 Continue unasked, which can't be read: switch it off there";
    return BROKEN_OFF.has(code)
      ? `the connection to Hot Bags broke before the answer (${code})`
      : `Hot Bags can't be reached (${code})`;
  }
}
