import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import { Rotation, type RotationStatus } from "../rotation.ts";

/** What the plugin may show. */
export interface BridgeTokens {
  token: string;
  /** Valid as well, while the token is replaced. */
  tokenPrevious?: string | null;
}

/** `shown`: what it was, as a digest. */
export type Verdict = { ok: true; shown: Buffer } | { ok: false; status: 401 | 403; reason: string };

/**
 * Who may open the wire: whoever shows `Authorization: Bearer <BRIDGE_TOKEN>`, and no browser page. A page anywhere on the web can open
 * a WebSocket to this machine's loopback, and it always sends an `Origin`; no plugin does.
 */
export class Auth {
  readonly #rotation: Rotation;
  #new: Buffer = Buffer.alloc(0);
  #previous: Buffer | null = null;

  constructor(tokens: BridgeTokens, log: Logger) {
    this.#rotation = new Rotation({ setting: "BRIDGE_TOKEN", who: "the plugin" }, log);
    this.adopt(tokens);
  }

  /** Null while there is only one token. */
  get rotation(): RotationStatus | null {
    return this.#rotation.status;
  }

  /** Goes on with others. */
  adopt({ token, tokenPrevious }: BridgeTokens): void {
    this.#new = digest(`Bearer ${token}`);
    this.#previous = tokenPrevious && tokenPrevious !== token ? digest(`Bearer ${tokenPrevious}`) : null;
    this.#rotation.begin(this.#previous !== null);
  }

  check(request: IncomingMessage): Verdict {
    if (request.headers.origin !== undefined)
      return { ok: false, status: 403, reason: "connections from browser pages are refused" };
    const shown = request.headers.authorization;
    if (shown === undefined)
      return { ok: false, status: 401, reason: "an Authorization header with the bridge token is required" };
    const digested = digest(shown);
    if (!this.accepts(digested))
      return { ok: false, status: 401, reason: "the bridge token does not match BRIDGE_TOKEN" };
    return { ok: true, shown: digested };
  }

  /** Whether what was shown is valid now. Equal digests, compared in constant time, tell nothing of how close a guess was, nor of the token's length. */
  accepts(shown: Buffer): boolean {
    const isNew = timingSafeEqual(shown, this.#new);
    const isPrevious = timingSafeEqual(shown, this.#previous ?? this.#new);
    if (isNew) this.#rotation.accepted("new");
    else if (isPrevious) this.#rotation.accepted("previous");
    return isNew || isPrevious;
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
