import { codeOf, VERSION } from "@hotbags/shared";
import { Agent, request } from "undici";
import type { Alert, Attempt } from "./alert.ts";

/** What is read of an answer, bytes: only its status counts. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Posts alerts as JSON. A redirect is a failure: it is not followed. */
export class Webhook {
  readonly #url: URL;
  readonly #agent = new Agent({ connections: 1 });

  constructor(url: URL) {
    this.#url = url;
  }

  async post({ id, kind, text, details }: Alert, signal: AbortSignal): Promise<Attempt> {
    try {
      const { statusCode, body } = await request(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", "user-agent": `hotbags-bridge/${VERSION}` },
        body: JSON.stringify({ text, alert: kind, id, ...details }),
        dispatcher: this.#agent,
        signal,
      });
      await body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
      if (statusCode >= 200 && statusCode < 300) return { ok: true };
      const again = statusCode === 408 || statusCode === 425 || statusCode === 429 || statusCode >= 500;
      return { ok: false, again, why: `the answer was ${statusCode}` };
    } catch (error) {
      // The code alone: undici's messages can hold the address.
      return { ok: false, again: true, why: signal.aborted ? "no answer in time" : codeOf(error) || "it failed" };
    }
  }

  /** Ends when what is under way has. */
  async retire(): Promise<void> {
    await this.#agent.close().catch(() => {});
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
