import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import * as z from "zod";
import type { OperatorApi } from "../operator/api.ts";
import { explain, OperatorError } from "../operator/error.ts";
import { type Asked, answer, give, readAsked, readBody, reply, routeOf } from "../operator/http.ts";
import { Picture } from "../operator/picture.ts";
import { API_PREFIX, ROUTES } from "../operator/schemas.ts";
import type { ConsoleSession, Role } from "../store/index.ts";
import type { Feed } from "./feed.ts";
import { isHttps } from "./gate.ts";
import { masked } from "./masked.ts";
import { cookieFor, type Sessions } from "./sessions.ts";
import { WrongLinks } from "./wrong-links.ts";

const login = z.object({ token: z.string() });

const NO_SESSION = "you are not logged in: hotbags console prints a link, which is good for 10 minutes";
const WRONG_LINK = "this link was used, is older than 10 minutes, or is none: hotbags console prints another";

interface ConsoleApiParts {
  api: OperatorApi;
  feed: Feed;
  sessions: Sessions;
  origin: URL | null;
  readOnly: boolean;
  /** Its connection does not make room for others until what is returned is called. */
  activate(request: IncomingMessage): () => void;
  log: Logger;
  uptimeMs(): number;
}

/** What the page asks: who is logged in, and what the operator API answers, as far as that session may ask. */
export class ConsoleApi {
  readonly #parts: ConsoleApiParts;
  readonly #wrong: WrongLinks;

  constructor(parts: ConsoleApiParts) {
    this.#parts = parts;
    this.#wrong = new WrongLinks(parts.uptimeMs);
  }

  /** Of a request whose host and origin are the console's. Rejects with OperatorError. */
  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    await this.#answerAnyone(request, response, url).catch(explain);
  }

  async #answerAnyone(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { sessions, activate, feed } = this.#parts;
    const session = await sessions.of(request);
    const what = `${request.method} ${url.pathname}`;
    if (what === "POST /api/session") return this.#logIn(request, response, session);
    if (session === null) throw new OperatorError(401, NO_SESSION);
    sessions.use(session);
    const done = activate(request);
    if (what === "GET /api/events") {
      if (feed.isFull) throw new OperatorError(503, "too many pages are open: close one of them");
      return feed.begin(response, session, done);
    }
    // The page may be gone already.
    if (response.closed) done();
    else response.once("close", done);
    await this.#answer(what, request, response, url, session);
  }

  async #answer(what: string, request: IncomingMessage, response: ServerResponse, url: URL, session: ConsoleSession) {
    const { sessions } = this.#parts;
    if (what === "GET /api/session") return reply(response, 200, this.#shown(session));
    if (what === "DELETE /api/session") {
      await sessions.end(session.id, session.user);
      response.setHeader("set-cookie", cookieFor(null, isHttps(request)));
      return reply(response, 200, {});
    }
    if (what === "GET /api/sessions") {
      const shown = (await sessions.list()).map((one) => ({ ...showSession(one), is_this: one.id === session.id }));
      return reply(response, 200, { sessions: shown });
    }
    const [, id] = /^DELETE \/api\/sessions\/(\d{1,15})$/.exec(what) ?? [];
    if (id !== undefined) {
      this.#mayAct(session);
      if (!(await sessions.end(Number(id), session.user)))
        throw new OperatorError(404, `there is no session ${id}: it may have ended`);
      return reply(response, 200, {});
    }
    if (!url.pathname.startsWith(`${API_PREFIX}/`)) throw new OperatorError(404, `there is no ${url.pathname}`);
    await this.#pass(request, response, url, session);
  }

  /** The operator API, without customers' numbers. */
  async #pass(request: IncomingMessage, response: ServerResponse, url: URL, session: ConsoleSession): Promise<void> {
    const { api, log } = this.#parts;
    const { name } = routeOf(request.method ?? "GET", url.pathname);
    const { method } = ROUTES[name];
    if ("only" in ROUTES[name]) throw new OperatorError(404, `${url.pathname} is asked for on the socket only`);
    if (method === "POST") this.#mayAct(session);
    const asked: Asked = await readAsked(request, url);
    const answered = await answer(api, asked, session.user, log);
    await give(response, answered instanceof Picture ? answered : (masked(answered) as object));
  }

  async #logIn(request: IncomingMessage, response: ServerResponse, before: ConsoleSession | null): Promise<void> {
    const { sessions, log } = this.#parts;
    const { token } = login.safeParse(await readBody(request)).data ?? {};
    const made = await sessions.logIn(token, before);
    if (made === null) {
      const waitSeconds = this.#wrong.note();
      if (waitSeconds === null) throw new OperatorError(401, WRONG_LINK);
      response.setHeader("retry-after", waitSeconds);
      throw new OperatorError(429, `too many wrong links: try again in ${waitSeconds} s`);
    }
    log.info({ who: made.session.user, session: made.session.id }, "somebody has logged in to the console");
    response.setHeader("set-cookie", cookieFor(made.token, isHttps(request)));
    reply(response, 200, this.#shown(made.session));
  }

  #shown(session: ConsoleSession) {
    const { user, expires_at } = showSession(session);
    return { user, role: this.#roleOf(session), read_only: this.#parts.readOnly, expires_at };
  }

  #roleOf({ role }: ConsoleSession): Role {
    return this.#parts.readOnly ? "look" : role;
  }

  /** Throws OperatorError with 403. */
  #mayAct(session: ConsoleSession): void {
    if (this.#parts.readOnly) throw new OperatorError(403, "this console is read-only (BRIDGE_CONSOLE_READ_ONLY)");
    if (this.#roleOf(session) !== "act")
      throw new OperatorError(403, "you may only look: hotbags console --role act prints a link that may do more");
  }
}

function showSession({ id, user, role, made_at, seen_at, expires_at }: ConsoleSession) {
  const iso = (at: number) => new Date(at).toISOString();
  return { id, user, role, created_at: iso(made_at), last_seen_at: iso(seen_at), expires_at: iso(expires_at) };
}
