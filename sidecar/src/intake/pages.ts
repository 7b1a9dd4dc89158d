import type { IncomingMessage, ServerResponse } from "node:http";
import { codeOf, LogThrottle } from "@hotbags/shared";
import type { Logger } from "pino";

/** What is told before there is a store. */
export const STARTING = { status: 503, reason: "the sidecar is starting: /health says what it waits for" } as const;

interface Health {
  ok: boolean;
  problems?: readonly string[];
}

const PATHS: ReadonlySet<string> = new Set(["/health", "/health/live", "/metrics"]);

/** What `GET /metrics` answers. */
export interface Exposition {
  contentType: string;
  text: string;
}

export interface PagesParts {
  log: Logger;
  /** What `GET /health` answers; rejects when the state can't be read. */
  health(): Promise<Health>;
  /** What `GET /metrics` answers; null before there is anything to count. Rejects when the state can't be read. */
  metrics?(): Promise<Exposition | null>;
}

/** What is answered without a token: `GET /health`, `/health/live` and `/metrics`. */
export class Pages {
  readonly #parts: PagesParts;
  readonly #logThrottle = new LogThrottle();

  constructor(parts: PagesParts) {
    this.#parts = parts;
  }

  /** `others`: what else there is where it was asked for, for those who ask for something else. */
  answer(request: IncomingMessage, response: ServerResponse, others = ""): void {
    if (!PATHS.has(request.url ?? ""))
      return respond(response, 404, { error: `there are /health, /health/live, /metrics${others} here` });
    if (request.method !== "GET" && request.method !== "HEAD") return respond(response, 405, { error: "use GET" });
    // That it answers says it all: a restart helps against nothing of what /health may complain of.
    if (request.url === "/health/live") return respond(response, 200, { ok: true });
    if (request.url === "/metrics") return void this.#expose(response);
    void this.#tellHealth(response);
  }

  async #tellHealth(response: ServerResponse): Promise<void> {
    const health = await this.#health();
    respond(response, health.ok ? 200 : 503, health);
  }

  /** What is wrong with the state must not end the process that says so. */
  async #health(): Promise<Health> {
    try {
      return await this.#parts.health();
    } catch (error) {
      const code = codeOf(error) || "see the log";
      this.#logThrottle.log(
        () => this.#parts.log.error({ err: error, alarm: true }, "/health can't be answered"),
        code,
      );
      const what = `the state can't be read (${code}): the disk of the database may be failing; restore a backup`;
      return { ok: false, problems: [what] };
    }
  }

  /** A scrape that fails is seen by the scraper: its `up` is 0. */
  async #expose(response: ServerResponse): Promise<void> {
    try {
      const exposition = (await this.#parts.metrics?.()) ?? null;
      if (!exposition) return respond(response, STARTING.status, { error: STARTING.reason });
      response.writeHead(200, { "content-type": exposition.contentType, "cache-control": "no-store" });
      response.end(exposition.text);
    } catch (error) {
      this.#logThrottle.log(
        () => this.#parts.log.error({ err: error }, "/metrics can't be answered"),
        `metrics ${codeOf(error)}`,
      );
      respond(response, 500, { error: "the state can't be read: /health says more" });
    }
  }
}

export function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
