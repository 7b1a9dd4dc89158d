import { createHmac } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { TLSSocket } from "node:tls";
import { codeOf, transportSessionId, VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Dispatcher, errors, Pool } from "undici";
import { FileLostError, type PendingMessage } from "../store/index.ts";
import { AnswerError, readAnswer } from "./answer.ts";
import type { Body } from "./body.ts";
import { Credentials, type HotBagsSecrets, type Pass } from "./credentials.ts";
import { type Outcome, readCommands } from "./outcome.ts";
import { retryAfterMs } from "./retry-after.ts";
import { ofAnswer, type Symptom, withoutAnswer } from "./symptom.ts";

export interface HotBagsOptions extends HotBagsSecrets {
  baseUrl: URL;
  /** Where messages are taken, below `baseUrl`. */
  inboundPath: string;
  /** Go along with each request, such as one that gets it past a firewall. Secret. */
  extraHeaders: Readonly<Record<string, string>>;
  /** Until a connection is there, ms; 0: no limit of its own. */
  connectTimeoutMs: number;
  /** And from then on to the last byte of the answer, ms. */
  timeoutMs: number;
  /** Longest wait that a `Retry-After` can ask for, ms. */
  maxRetryAfterMs: number;
  connections: number;
  log: Logger;
}

/** What a HEAD was answered with, and what it is a symptom of, if it were a POST's. */
export interface Pinged {
  readonly symptom: Symptom;
  /** The answer's `Date`, as it came. */
  readonly date: string | null;
  /** Its `Allow` names POST. */
  readonly takesPosts: boolean;
  readonly tookMs: number;
}

/** Nothing has left this machine, whatever the message is. */
const UNREACHABLE = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EHOSTDOWN"],
  ...["EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT"],
]);

/** No socket could be made, here: of this process, or of the whole machine. */
const OUT_OF_DESCRIPTORS = new Set(["EMFILE", "ENFILE"]);

/** What undici says of each new connection (its docs, DiagnosticsChannel). */
const CONNECTED = "undici:client:connected";

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
  #options: HotBagsOptions;
  readonly #pool: Pool;
  readonly #url: URL;
  readonly #credentials: Credentials;
  #certificateEndsAt: number | null = null;

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
    this.#credentials = new Credentials(options, options.log);
    diagnostics.subscribe(CONNECTED, this.#connected);
  }

  /** Goes on with other secrets and times; what is under way ends as it began. */
  adopt(changes: HotBagsSecrets & Pick<HotBagsOptions, "extraHeaders" | "timeoutMs">): void {
    this.#options = { ...this.#options, ...changes };
    this.#credentials.adopt(changes);
  }

  /** Which secrets Hot Bags goes by, while one is replaced. */
  get rotations() {
    return this.#credentials.rotations;
  }

  /**
   * Where Hot Bags refuses one secret, the other one is shown at once: while they are replaced, that is no failure. If all
   * are refused, each is shown once more: while it changes over, none may be known at the moment at which it is shown.
   */
  async post(message: PendingMessage, body: Body): Promise<Outcome> {
    const first = await this.#postAsAny(message, body);
    return first.refused > 1 ? (await this.#postAsAny(message, body)).outcome : first.outcome;
  }

  /** Shows one secret after the other that is valid, also one that has become so meanwhile. */
  async #postAsAny(message: PendingMessage, body: Body): Promise<{ outcome: Outcome; refused: number }> {
    const refused: Pass[] = [];
    let outcome: Outcome;
    let pass: Pass | undefined = this.#credentials.first;
    do {
      outcome = await this.#postAs(pass, message, body);
      if (!isRefusal(outcome)) return { outcome, refused: 0 };
      refused.push(pass);
      pass = this.#credentials.after(refused);
    } while (pass);
    return { outcome, refused: refused.length };
  }

  async #postAs(pass: Pass, message: PendingMessage, body: Body): Promise<Outcome> {
    const { connectTimeoutMs, timeoutMs } = this.#options;
    let response: Dispatcher.ResponseData | undefined;
    try {
      response = await this.#pool.request({
        method: "POST",
        path: this.#url.pathname,
        headers: await this.#headers(pass, message, body),
        body: body.open(),
        headersTimeout: timeoutMs,
        signal: AbortSignal.timeout(connectTimeoutMs + timeoutMs),
      });
      const outcome = await this.#read(response);
      if (outcome.kind === "answered") this.#credentials.accepted(pass);
      return outcome;
    } catch (error) {
      return { kind: "failed", symptom: this.#symptomOf(error, response !== undefined) };
    }
  }

  /**
   * Asks with a HEAD, which creates nothing, whether Hot Bags is there. `withToken` false: as a stranger would. Never
   * rejects.
   */
  async ping(withToken: boolean): Promise<Pinged> {
    if (!withToken) return this.#pingAs(null);
    const refused: Pass[] = [];
    for (;;) {
      const pass = this.#credentials.after(refused) ?? this.#credentials.first;
      const pinged = await this.#pingAs(pass);
      refused.push(pass);
      if (!isRefusal({ kind: "failed", symptom: pinged.symptom }) || !this.#credentials.after(refused)) return pinged;
    }
  }

  async #pingAs(pass: Pass | null): Promise<Pinged> {
    const { connectTimeoutMs, timeoutMs } = this.#options;
    const startedAt = performance.now();
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await this.#pool.request({
        method: "HEAD",
        path: this.#url.pathname,
        headers: {
          ...this.#ownHeaders(),
          ...(pass && { authorization: `Bearer ${pass.bearerToken}` }),
          // Of a body that is not there.
          ...(pass?.key && { "x-hotbags-signature": `sha256=${createHmac("sha256", pass.key).digest("hex")}` }),
        },
        headersTimeout: timeoutMs,
        signal: AbortSignal.timeout(connectTimeoutMs + timeoutMs),
      });
      await body.dump({ limit: MAX_REST_BYTES, signal: AbortSignal.timeout(MAX_REST_MS) }).catch(() => {});
      const isPage = statusCode < 300 && /^\s*text\/html\b/i.test(String(answered["content-type"] ?? ""));
      const page = isPage ? ({ trouble: "page", what: "a web page" } as const) : undefined;
      return {
        symptom: ofAnswer(statusCode, answered, this.#url, undefined, page),
        date: typeof answered["date"] === "string" ? answered["date"] : null,
        takesPosts: /\bPOST\b/i.test(String(answered["allow"] ?? "")),
        tookMs: performance.now() - startedAt,
      };
    } catch (error) {
      const symptom = this.#symptomOf(error, false);
      return { symptom, date: null, takesPosts: false, tookMs: performance.now() - startedAt };
    }
  }

  /** When the certificate that it showed last is no longer good, wall-clock ms; null where it has shown none. */
  get certificateEndsAt(): number | null {
    return this.#certificateEndsAt;
  }

  async close(): Promise<void> {
    diagnostics.unsubscribe(CONNECTED, this.#connected);
    await this.#pool.destroy();
  }

  /** undici tells of every connection of this process. */
  readonly #connected = (message: unknown): void => {
    const { socket, connectParams } = message as { socket: unknown; connectParams: { host: string } };
    if (connectParams.host !== this.#url.host || !(socket instanceof TLSSocket)) return;
    const endsAt = Date.parse(socket.getPeerCertificate().valid_to ?? "");
    if (!Number.isNaN(endsAt)) this.#certificateEndsAt = endsAt;
  };

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

  async #headers({ bearerToken, key }: Pass, message: PendingMessage, body: Body): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      ...this.#ownHeaders(),
      authorization: `Bearer ${bearerToken}`,
      "idempotency-key": message.message_id,
      "x-idempotency-key": message.message_id,
      "x-transport-session-id": transportSessionId(message.account_id),
      "content-type": "application/json",
      "content-length": String(body.byteLength),
    };
    if (key) {
      const hmac = createHmac("sha256", key);
      for await (const piece of body.pieces()) hmac.update(piece);
      headers["x-hotbags-signature"] = `sha256=${hmac.digest("hex")}`;
    }
    return headers;
  }

  /** Those of every request. */
  #ownHeaders() {
    return {
      ...this.#options.extraHeaders,
      // Answers are short: a plain one is the cheapest to make and to read. What comes compressed all the same is read.
      "accept-encoding": "identity",
      "user-agent": `hotbags-bridge/${VERSION}`,
    };
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
    if (OUT_OF_DESCRIPTORS.has(code))
      return there("descriptors", `no connection to Hot Bags can be made: no file descriptor is left here (${code})`);
    if (UNREACHABLE.has(code)) return there("unreachable", `Hot Bags can't be reached (${code})`);
    if (error instanceof errors.HTTPParserError && !hasBegun)
      return there("not-http", "what came back from Hot Bags' address is not HTTP");
    if (error instanceof errors.HeadersOverflowError)
      return there("headers", `Hot Bags answered with more than ${MAX_HEADERS_BYTES / 1024} KiB of headers`);
    if (TLS.test(code)) return there("tls", `no encrypted connection to Hot Bags comes about (${code})`);
    return there("broken", `the connection to Hot Bags broke before the end of the answer (${code})`);
  }
}

/** Hot Bags itself does not know who asks, or what signs: another secret may do. */
function isRefusal(outcome: Outcome): boolean {
  if (outcome.kind === "answered") return false;
  const { status, trouble, isVercelLogin, isVercelFirewall } = outcome.symptom;
  return trouble === null && (status === 401 || status === 403) && !isVercelLogin && !isVercelFirewall;
}
