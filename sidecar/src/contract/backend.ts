import { createHmac, randomUUID } from "node:crypto";
import { CONTRACT_VERSION, VERSION } from "@hotbags/shared";
import { type Dispatcher, Pool } from "undici";
import { acceptHeader, type Extras } from "../commands/index.ts";
import { MAX_HEADERS_BYTES, ofError } from "../relay/network-error.ts";
import type { Outcome } from "../relay/outcome.ts";
import { outcomeOf, takenOf } from "../relay/response.ts";
import { WebhookSignature, webhookKeyOf } from "../relay/webhook-signature.ts";
import { readSaid } from "./said.ts";

/** Until a connection is there, ms: as the sidecar waits. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Nobody waits here for as long as a `Retry-After` asks. */
const MAX_RETRY_AFTER_MS = 0;

/** A backend that somebody wants to know the truth about. */
export interface BackendUnderTest {
  /** Where it takes messages. */
  url: URL;
  /** And delivery reports, and events; null: it wants none. */
  reportsUrl: URL | null;
  eventsUrl: URL | null;
  token: string;
  /** Null: nothing is signed. */
  hmacSecret: string | null;
  /** Null: nothing is signed as Standard Webhooks does. */
  webhookSecret: string | null;
  /** Those that are valid as well, while others take their place. Null: there is none. */
  previous: { token: string | null; hmacSecret: string | null; webhookSecret: string | null };
  /** Secret. */
  extraHeaders: Readonly<Record<string, string>>;
  /** What it may use besides what each bridge takes. */
  accepts: Extras;
  timeoutMs: number;
}

/** One POST, and in what it differs from the sidecar's. */
export interface Post {
  key: string;
  session: string;
  body: Buffer;
  /** Default: where it takes messages. */
  to?: URL;
  /** Null: none. Default: the right one. */
  token?: string | null;
  /** Null: none. Default: that of the body, where the backend has a secret. */
  signature?: string | null;
  /** The headers of Standard Webhooks. Default: those of the body and of now, where the backend has a secret for them. */
  webhook?: Record<string, string>;
  /** Default: `identity`. */
  acceptEncoding?: string;
}

export interface Posted {
  outcome: Outcome;
  /** Null: there was no answer. */
  status: number | null;
  durationMs: number;
  /** `Content-Encoding` of the answer. */
  encoding: string | null;
  /** What it says beside a status that is no 2xx, shortened; null: nothing, or a web page. */
  said: string | null;
}

/** POSTs as the sidecar does, and judges what comes back as it does. Never throws for what a backend does. */
export class Backend {
  readonly #backend: BackendUnderTest;
  readonly #pool: Pool;

  constructor(backend: BackendUnderTest, connections: number) {
    this.#backend = backend;
    this.#pool = new Pool(backend.url.origin, {
      ...{ connections, pipelining: 1, connect: { timeout: CONNECT_TIMEOUT_MS } },
      ...{ maxHeaderSize: MAX_HEADERS_BYTES, bodyTimeout: 0 },
    });
  }

  get isSigned(): boolean {
    return this.#backend.hmacSecret !== null;
  }

  /** Where it takes each kind of report; null: it wants none. */
  get reportUrls(): Pick<BackendUnderTest, "reportsUrl" | "eventsUrl"> {
    return this.#backend;
  }

  get isWebhook(): boolean {
    return this.#backend.webhookSecret !== null;
  }

  /** Each token with each key, the new ones first, as the sidecar shows them while one is replaced. */
  get passes(): { token: string; hmacSecret: string | null; isFormer: { token: boolean; hmacSecret: boolean } }[] {
    const { token, hmacSecret, previous } = this.#backend;
    const tokens = [token, ...(previous.token === null ? [] : [previous.token])];
    const keys = [hmacSecret, ...(hmacSecret === null || previous.hmacSecret === null ? [] : [previous.hmacSecret])];
    return keys.flatMap((key, k) =>
      tokens.map((one, t) => ({ token: one, hmacSecret: key, isFormer: { token: t > 0, hmacSecret: k > 0 } })),
    );
  }

  async post(post: Post): Promise<Posted> {
    const { timeoutMs, accepts } = this.#backend;
    const { to: url = this.#backend.url } = post;
    const begun = performance.now();
    let response: Dispatcher.ResponseData | undefined;
    let said: string | null = null;
    const ended = (outcome: Outcome): Posted => ({
      outcome,
      status: outcome.kind === "answered" ? outcome.status : outcome.symptom.status,
      durationMs: Math.round(performance.now() - begun),
      encoding: response ? String(response.headers["content-encoding"] ?? "") || null : null,
      said,
    });
    try {
      response = await this.#pool.request({
        ...{ method: "POST", path: url.pathname, headers: this.#headers(post), body: post.body },
        ...{ headersTimeout: timeoutMs, signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS + timeoutMs) },
      });
      if (response.statusCode >= 300) said = await readSaid(response.body, this.#secrets);
      return ended(await outcomeOf(response, url, { maxRetryAfterMs: MAX_RETRY_AFTER_MS, accepts }));
    } catch (error) {
      return ended({ kind: "failed", symptom: ofError(error, { hasBegun: response !== undefined, timeoutMs, url }) });
    }
  }

  /** A HEAD, as `hotbags doctor` sends it to find out whether the token is taken; or without all that proves who asks. */
  async ping(as: "bridge" | "stranger"): Promise<Posted> {
    const { url, token, extraHeaders, timeoutMs } = this.#backend;
    const nothing = Buffer.alloc(0);
    const signature = this.signatureOf(nothing);
    const proofs = {
      authorization: `Bearer ${token}`,
      ...(signature === null ? {} : { "x-hotbags-signature": signature }),
      ...this.webhookOf(`ping-${randomUUID()}`, nothing),
    };
    const headers = {
      ...{ ...extraHeaders, ...(as === "bridge" ? proofs : {}), "accept-encoding": "identity" },
      "user-agent": `hotbags-bridge/${VERSION}`,
    };
    const begun = performance.now();
    let outcome: Outcome;
    try {
      const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS + timeoutMs);
      const request = { method: "HEAD", path: url.pathname, headers, headersTimeout: timeoutMs, signal } as const;
      outcome = await takenOf(await this.#pool.request(request), url, MAX_RETRY_AFTER_MS);
    } catch (error) {
      outcome = { kind: "failed", symptom: ofError(error, { hasBegun: false, timeoutMs, url }) };
    }
    const status = outcome.kind === "answered" ? outcome.status : outcome.symptom.status;
    return { outcome, status, durationMs: Math.round(performance.now() - begun), encoding: null, said: null };
  }

  /** The signature of these bytes. Null where nothing is signed. */
  signatureOf(body: Buffer, hmacSecret = this.#backend.hmacSecret): string | null {
    return hmacSecret === null ? null : `sha256=${createHmac("sha256", hmacSecret).update(body).digest("hex")}`;
  }

  /** The headers of Standard Webhooks for these bytes. `at`: wall-clock ms. Nothing where the backend has no secret for them. */
  webhookOf(id: string, body: Buffer, at = Date.now()): Record<string, string> {
    const { webhookSecret, previous } = this.#backend;
    const secrets = webhookSecret === null ? [] : [webhookSecret, previous.webhookSecret ?? []].flat();
    const signature = new WebhookSignature(secrets.map(webhookKeyOf), id, at);
    signature.update(body);
    return signature.headers();
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  /** All that a backend may have been shown, and repeat. */
  get #secrets(): string[] {
    const { token, hmacSecret, webhookSecret, previous, extraHeaders } = this.#backend;
    const all = [token, hmacSecret, webhookSecret, ...Object.values(previous), ...Object.values(extraHeaders)];
    return all.filter((one) => one !== null);
  }

  #headers({ key, session, body, to, acceptEncoding = "identity", ...other }: Post): Record<string, string> {
    const token = other.token === undefined ? this.#backend.token : other.token;
    const signature = other.signature === undefined ? this.signatureOf(body) : other.signature;
    return {
      ...this.#backend.extraHeaders,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(signature === null ? {} : { "x-hotbags-signature": signature }),
      ...(other.webhook ?? this.webhookOf(key, body)),
      ...{ "idempotency-key": key, "x-idempotency-key": key, "x-transport-session-id": session },
      ...{ "content-type": "application/json", "content-length": String(body.length) },
      ...{ "accept-encoding": acceptEncoding, "x-hotbags-contract": String(CONTRACT_VERSION) },
      ...(to ? {} : { "x-hotbags-accept": acceptHeader(this.#backend.accepts) }),
      "user-agent": `hotbags-bridge/${VERSION}`,
    };
  }
}
