import { createHmac, randomUUID } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { isIP } from "node:net";
import { connect, TLSSocket } from "node:tls";
import { CONTRACT_VERSION, transportSessionId, VERSION } from "@hotbags/shared";
import type { Logger } from "pino";
import { type Dispatcher, Pool } from "undici";
import { acceptHeader, type Extras, NO_EXTRAS } from "../commands/index.ts";
import type { PendingMessage } from "../store/index.ts";
import type { Body } from "./body.ts";
import { Credentials, type HotBagsSecrets, type Pass } from "./credentials.ts";
import { MAX_HEADERS_BYTES, ofError } from "./network-error.ts";
import type { PolledOutcome } from "./outbox-answer.ts";
import type { Outcome } from "./outcome.ts";
import { dropRest, outcomeOf, polledOf, takenOf } from "./response.ts";
import { ofAnswer, type Symptom } from "./symptom.ts";
import { WebhookSignature } from "./webhook-signature.ts";

export interface HotBagsOptions extends HotBagsSecrets {
  baseUrl: URL;
  /** Where messages are taken, below `baseUrl`. */
  inboundPath: string;
  /** Go along with each request, such as one that gets it past a firewall. Secret. */
  extraHeaders: Readonly<Record<string, string>>;
  /** What Hot Bags may use besides what each bridge takes; told with each message. Default: nothing. */
  accepts?: Extras;
  /** Until a connection is there, ms; 0: no limit of its own. */
  connectTimeoutMs: number;
  /** And from then on to the last byte of the answer, ms. */
  timeoutMs: number;
  /** Longest wait that a `Retry-After` can ask for, ms. */
  maxRetryAfterMs: number;
  connections: number;
  log: Logger;
}

/** A question for what is in the outbox. */
export interface Poll {
  /** Below the base URL. */
  path: string;
  /** The cursor. */
  after: string;
  /** For so long Hot Bags may wait for a command, whole seconds. */
  waitSeconds: number;
}

/** A report of what has become of a command. `text`: its body. */
export interface Report {
  key: string;
  account_id: string;
  body: string;
}

/** One request. */
interface Ask<Answered extends { kind: string } = Outcome> {
  url: URL;
  /** Of a POST; null: it is a GET. */
  post: { key: string; accountId: string; body: Pick<Body, "byteLength" | "open" | "pieces"> } | null;
  /** From the connection to the last byte of the answer, ms. */
  timeoutMs: number;
  read(response: Dispatcher.ResponseData): Promise<Answered>;
  /** What the answer may use; undefined where it is no answer. */
  accepts?: Extras;
  /** Ends it early, with a failure that means nothing. */
  signal?: AbortSignal;
}

/** How one request ended. */
type Ended = Outcome | PolledOutcome;

/** Nobody thinks about a report for longer, ms. */
const REPORT_TIMEOUT_MS = 30_000;

/** An outbox has so much longer than it may wait for a command, ms: to start, and to look. */
const POLL_PATIENCE_MS = 30_000;

/** What a HEAD was answered with, and what it is a symptom of, if it were a POST's. */
export interface Pinged {
  readonly symptom: Symptom;
  /** The answer's `Date`, as it came. */
  readonly date: string | null;
  /** Its `Allow` names POST. */
  readonly takesPosts: boolean;
  readonly tookMs: number;
}

/** What undici says of each new connection (its docs, DiagnosticsChannel). */
const CONNECTED = "undici:client:connected";

/** Hot Bags over HTTP: one request a call, its end told as an outcome, never thrown. */
export class HotBags {
  #options: HotBagsOptions;
  readonly #pool: Pool;
  readonly #url: URL;
  readonly #credentials: Credentials;
  #certificateEndsAt: number | null = null;
  readonly #looks = new Set<TLSSocket>();

  constructor(options: HotBagsOptions) {
    this.#options = options;
    const { baseUrl, inboundPath, connections, connectTimeoutMs } = options;
    this.#url = this.#at(inboundPath);
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
  adopt(changes: HotBagsSecrets & Pick<HotBagsOptions, "extraHeaders" | "accepts" | "timeoutMs">): void {
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
    const { timeoutMs, maxRetryAfterMs, accepts = NO_EXTRAS } = this.#options;
    const { message_id: key, account_id: accountId } = message;
    const read = (response: Dispatcher.ResponseData) => outcomeOf(response, this.#url, { maxRetryAfterMs, accepts });
    return await this.#ask({ url: this.#url, post: { key, accountId, body }, timeoutMs, read, accepts });
  }

  /** The same for a report. `path`: below the base URL. Any 2xx will do, but for a web page. */
  async report(path: string, { key, account_id: accountId, body: text }: Report): Promise<Outcome> {
    const url = this.#at(path);
    const bytes = Buffer.from(text);
    const body = { byteLength: bytes.length, open: () => bytes, pieces: () => inOnePiece(bytes) };
    const timeoutMs = Math.min(REPORT_TIMEOUT_MS, this.#options.timeoutMs);
    const read = (response: Dispatcher.ResponseData) => takenOf(response, url, this.#options.maxRetryAfterMs);
    return await this.#ask({ url, post: { key, accountId, body }, timeoutMs, read });
  }

  /** What Hot Bags gives of itself. It has nothing to answer before the time is over, or a command is there. */
  async poll({ path, after, waitSeconds }: Poll, signal: AbortSignal): Promise<PolledOutcome> {
    const { maxRetryAfterMs, accepts = NO_EXTRAS } = this.#options;
    const url = this.#at(path);
    url.search = new URLSearchParams({ after, wait: String(waitSeconds) }).toString();
    const timeoutMs = waitSeconds * 1_000 + POLL_PATIENCE_MS;
    const read = (response: Dispatcher.ResponseData) => polledOf(response, url, { maxRetryAfterMs, accepts, after });
    return await this.#ask<PolledOutcome>({ url, post: null, timeoutMs, read, accepts, signal });
  }

  async #ask<Answered extends Ended>(ask: Ask<Answered>): Promise<Answered> {
    const first = await this.#askAsAny(ask);
    return first.refused > 1 ? (await this.#askAsAny(ask)).outcome : first.outcome;
  }

  #at(path: string): URL {
    const { baseUrl } = this.#options;
    return new URL(baseUrl.pathname.replace(/\/+$/, "") + path, baseUrl.origin);
  }

  /** Shows one secret after the other that is valid, also one that has become so meanwhile. */
  async #askAsAny<Answered extends Ended>(ask: Ask<Answered>): Promise<{ outcome: Answered; refused: number }> {
    const refused: Pass[] = [];
    let outcome: Answered;
    let pass: Pass | undefined = this.#credentials.first;
    do {
      outcome = await this.#askAs(pass, ask);
      if (!isRefusal(outcome)) return { outcome, refused: 0 };
      refused.push(pass);
      pass = this.#credentials.after(refused);
    } while (pass);
    return { outcome, refused: refused.length };
  }

  async #askAs<Answered extends Ended>(pass: Pass, ask: Ask<Answered>): Promise<Answered> {
    const { connectTimeoutMs } = this.#options;
    const { url, post, timeoutMs, read, signal } = ask;
    let response: Dispatcher.ResponseData | undefined;
    // Called off with the answer: one of AbortSignal.timeout stays until its time is over, and so for each message of the last minutes.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(timeUp()), connectTimeoutMs + timeoutMs);
    try {
      response = await this.#pool.request({
        method: post ? "POST" : "GET",
        path: url.pathname + url.search,
        headers: await this.#headers(pass, ask),
        body: post ? post.body.open() : null,
        headersTimeout: timeoutMs,
        signal: signal ? AbortSignal.any([deadline.signal, signal]) : deadline.signal,
      });
      const outcome = await read(response);
      if (outcome.kind === "answered") this.#credentials.accepted(pass);
      return outcome;
    } catch (error) {
      const symptom = ofError(error, { hasBegun: response !== undefined, timeoutMs, url });
      return { kind: "failed", symptom } as Answered;
    } finally {
      clearTimeout(timer);
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
          ...(pass && this.#webhookSignature(`ping-${randomUUID()}`).headers()),
        },
        headersTimeout: timeoutMs,
        signal: AbortSignal.timeout(connectTimeoutMs + timeoutMs),
      });
      await dropRest(body);
      const isPage = statusCode < 300 && /^\s*text\/html\b/i.test(String(answered["content-type"] ?? ""));
      const page = isPage ? ({ trouble: "page", what: "a web page" } as const) : undefined;
      return {
        symptom: ofAnswer(statusCode, answered, this.#url, undefined, page),
        date: typeof answered["date"] === "string" ? answered["date"] : null,
        takesPosts: /\bPOST\b/i.test(String(answered["allow"] ?? "")),
        tookMs: performance.now() - startedAt,
      };
    } catch (error) {
      const symptom = ofError(error, { hasBegun: false, timeoutMs, url: this.#url });
      return { symptom, date: null, takesPosts: false, tookMs: performance.now() - startedAt };
    }
  }

  /** When the certificate that it showed last is no longer good, wall-clock ms; null where it has shown none. */
  get certificateEndsAt(): number | null {
    return this.#certificateEndsAt;
  }

  /**
   * Looks at its certificate, by a connection that is made for that and asks nothing. Resolves with whether it has shown
   * one; never rejects. Also one that is not valid is looked at: nothing is sent to whoever shows it.
   */
  async lookAtCertificate(): Promise<boolean> {
    const { protocol, hostname, port } = this.#url;
    if (protocol !== "https:") return false;
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({
      ...{ host, port: Number(port || 443), rejectUnauthorized: false },
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#looks.add(socket);
    socket.setTimeout(this.#options.connectTimeoutMs, () => socket.destroy());
    socket.once("secureConnect", () => {
      resolve(this.#note(socket));
      socket.destroy();
    });
    socket.once("error", () => socket.destroy());
    socket.once("close", () => {
      this.#looks.delete(socket);
      resolve(false);
    });
    return promise;
  }

  async close(): Promise<void> {
    for (const socket of this.#looks) socket.destroy();
    diagnostics.unsubscribe(CONNECTED, this.#connected);
    await this.#pool.destroy();
  }

  /** undici tells of every connection of this process. */
  readonly #connected = (message: unknown): void => {
    const { socket, connectParams } = message as { socket: unknown; connectParams: { host: string } };
    if (connectParams.host === this.#url.host && socket instanceof TLSSocket) this.#note(socket);
  };

  /** Returns whether it shows a certificate. */
  #note(socket: TLSSocket): boolean {
    const endsAt = Date.parse(socket.getPeerCertificate().valid_to ?? "");
    if (Number.isNaN(endsAt)) return false;
    this.#certificateEndsAt = endsAt;
    return true;
  }

  async #headers({ bearerToken, key: hmacKey }: Pass, { post, accepts }: Ask<Ended>): Promise<Record<string, string>> {
    const headers: Record<string, string> = {
      ...this.#ownHeaders(),
      authorization: `Bearer ${bearerToken}`,
      ...(post && {
        "idempotency-key": post.key,
        "x-idempotency-key": post.key,
        "x-transport-session-id": transportSessionId(post.accountId),
        "content-type": "application/json",
        "content-length": String(post.body.byteLength),
      }),
      "x-hotbags-contract": String(CONTRACT_VERSION),
      ...(accepts && { "x-hotbags-accept": acceptHeader(accepts) }),
    };
    const webhook = this.#webhookSignature(post?.key ?? `outbox-${randomUUID()}`);
    const hmac = hmacKey && createHmac("sha256", hmacKey);
    if (post && (hmac || this.#credentials.webhookKeys.length > 0))
      for await (const piece of post.body.pieces()) {
        hmac?.update(piece);
        webhook.update(piece);
      }
    if (hmac) headers["x-hotbags-signature"] = `sha256=${hmac.digest("hex")}`;
    return { ...headers, ...webhook.headers() };
  }

  /** Of an attempt that begins now. */
  #webhookSignature(id: string): WebhookSignature {
    return new WebhookSignature(this.#credentials.webhookKeys, id, Date.now());
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
}

async function* inOnePiece(bytes: Buffer) {
  yield bytes;
}

/** As AbortSignal.timeout says it. */
function timeUp(): DOMException {
  return new DOMException("the time is up", "TimeoutError");
}

/** Hot Bags itself does not know who asks, or what signs: another secret may do. */
function isRefusal(outcome: Ended): boolean {
  if (outcome.kind !== "failed") return false;
  const { status, trouble, isVercelLogin, isVercelFirewall } = outcome.symptom;
  return trouble === null && (status === 401 || status === 403) && !isVercelLogin && !isVercelFirewall;
}
