import { codeOf, VERSION } from "@hotbags/shared";
import { Agent } from "undici";
import type { Attempt, Channel, Notice } from "./notice.ts";
import { type Format, postOf } from "./webhook-formats.ts";

/** What is read of an answer, bytes: only its status counts. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** The longest wait that a `Retry-After` can ask for, seconds. */
const MAX_RETRY_AFTER_S = 900;

/** `ALERT_WEBHOOK_URL`: POSTs notices in the form that the service takes. A redirect is a refusal: it is not followed. */
export class Webhook implements Channel {
  readonly name = "ALERT_WEBHOOK_URL";
  readonly #url: URL;
  readonly #format: Format;
  readonly #agent = new Agent({ connections: 1 });

  constructor(url: URL, format: Format) {
    this.#url = url;
    this.#format = format;
  }

  async send(notice: Notice, signal: AbortSignal): Promise<Attempt> {
    const { origin, pathname, search } = this.#url;
    const { headers, body } = postOf(this.#format, notice);
    try {
      const answer = await this.#agent.request({
        ...{ origin, path: pathname + search, method: "POST" },
        headers: { ...headers, "user-agent": `hotbags-bridge/${VERSION}` },
        ...{ body, signal },
      });
      await answer.body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
      return this.#attemptOf(answer.statusCode, answer.headers["retry-after"]);
    } catch (error) {
      // The code alone: undici's messages can hold the address.
      return { ok: false, passes: true, why: signal.aborted ? "no answer in time" : codeOf(error) || "it failed" };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #attemptOf(status: number, retryAfter: string | string[] | undefined): Attempt {
    if (status >= 200 && status < 300) return { ok: true };
    const passes = status === 408 || status === 425 || status === 429 || status >= 500;
    if (!passes) return { ok: false, passes, why: `the answer was ${status}: ${this.#adviceFor(status)}` };
    const seconds = Number.parseFloat(String(retryAfter));
    const waitMs = seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER_S) * 1_000 : undefined;
    return { ok: false, passes, why: `the answer was ${status}`, ...(waitMs === undefined ? {} : { waitMs }) };
  }

  #adviceFor(status: number): string {
    if (status < 400) return "redirects are not followed; set ALERT_WEBHOOK_URL to where it leads";
    if (status === 401 || status === 403 || status === 404 || status === 405 || status === 410)
      return "the webhook is not there any more, or refuses us; make a new one, and set ALERT_WEBHOOK_URL to it";
    return `it does not take the format ${this.#format}; set ALERT_WEBHOOK_FORMAT to what it takes`;
  }
}
