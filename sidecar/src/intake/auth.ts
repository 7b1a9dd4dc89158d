import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

export type Verdict = { ok: true } | { ok: false; status: 401 | 403; reason: string };

/**
 * Who may open the wire: whoever shows `Authorization: Bearer <BRIDGE_TOKEN>`, and no browser page. A page anywhere on the web can open
 * a WebSocket to this machine's loopback, and it always sends an `Origin`; no plugin does.
 */
export class Auth {
  readonly #expected: Buffer;

  constructor(token: string) {
    this.#expected = digest(`Bearer ${token}`);
  }

  check(request: IncomingMessage): Verdict {
    if (request.headers.origin !== undefined)
      return { ok: false, status: 403, reason: "connections from browser pages are refused" };
    const shown = request.headers.authorization;
    if (shown === undefined)
      return { ok: false, status: 401, reason: "an Authorization header with the bridge token is required" };
    // Equal digests, compared in constant time, tell nothing of how close a guess was, nor of the token's length.
    if (!timingSafeEqual(digest(shown), this.#expected))
      return { ok: false, status: 401, reason: "the bridge token does not match BRIDGE_TOKEN" };
    return { ok: true };
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
