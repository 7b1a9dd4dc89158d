import type { IncomingMessage, ServerResponse } from "node:http";
import { codeOf } from "@hotbags/shared";
import type { Logger } from "pino";
import type { OperatorApi } from "./api.ts";
import { OperatorError } from "./error.ts";
import { Picture } from "./picture.ts";
import { API_PREFIX, ROUTES, type RouteName } from "./schemas.ts";

// The operator API as HTTP: the same for each listener that has it.

/** The largest body that is read: 100 ids. */
const MAX_BODY_BYTES = 64 * 1024;

/** A route, as it is asked for. */
export interface Asked {
  name: RouteName;
  /** Of the path; 0 where it has none. */
  id: number;
  /** As it came. */
  input: unknown;
}

/** Where a request goes. Throws OperatorError with 400. */
export function targetOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? "/", "http://operator");
  if (url === null) throw new OperatorError(400, "the request's target is no path");
  return url;
}

/** Answers what was asked, and logs what may have changed something. Rejects with OperatorError. */
export async function answer(api: OperatorApi, { name, id, input }: Asked, who: string, log: Logger): Promise<object> {
  const answered = await api.answer(name, input, id, who);
  if (ROUTES[name].changes) log.info({ who, action: name, ...(id > 0 ? { id } : {}) }, "an operator's request");
  return answered;
}

/** Throws OperatorError with 400, 404, 405 or 413. */
export async function readAsked(request: IncomingMessage, url: URL): Promise<Asked> {
  const { name, id, rest } = routeOf(request.method ?? "GET", url.pathname);
  if (request.method === "POST") return { name, id, input: await readBody(request) };
  return { name, id, input: { ...Object.fromEntries(url.searchParams), ...rest } };
}

/** Says why a request was not answered. `error`: an OperatorError, or what nobody expected. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, log: Logger): void {
  // What is left of the body is nobody's to read.
  if (!request.complete && !response.headersSent) response.setHeader("connection", "close");
  if (error instanceof OperatorError) return reply(response, error.status, { error: error.message });
  if (response.headersSent) return void response.destroy();
  // Whoever asked has gone before the question was whole.
  if (request.destroyed && !request.complete) return;
  log.error({ err: error }, "an operator's request failed");
  reply(response, 500, { error: `this could not be answered (${codeOf(error) || "see the sidecar's log"})` });
}

/** Throws OperatorError with 404 or 405. */
export function routeOf(
  method: string,
  pathname: string,
): { name: RouteName; id: number; rest: Record<string, string> } {
  let wrongMethod = false;
  for (const [name, route] of Object.entries(ROUTES)) {
    const match = new RegExp(`^${API_PREFIX}${route.path.replaceAll(/:(\w+)/g, "(?<$1>\\d{1,15})")}$`).exec(pathname);
    if (!match) continue;
    const { id = 0, ...rest } = match.groups ?? {};
    if (route.method === method) return { name: name as RouteName, id: Number(id), rest };
    wrongMethod = true;
  }
  if (wrongMethod) throw new OperatorError(405, `${pathname} does not take ${method}`);
  throw new OperatorError(404, `there is no ${pathname}: docs/operator-api.md says what there is`);
}

/** Throws OperatorError with 400 or 413. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new OperatorError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new OperatorError(400, "the body is not JSON");
  }
}

/** Gives whoever asked what the API says. */
export async function give(response: ServerResponse, answered: object): Promise<void> {
  if (answered instanceof Picture) return answered.sendTo(response);
  reply(response, 200, answered);
}

export function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
