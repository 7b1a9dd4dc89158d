import type { IncomingMessage } from "node:http";
import { isLoopback } from "@hotbags/shared";
import { OperatorError } from "../operator/error.ts";

/** A request that changes something has it: no form sends it, and a page of another origin would have to ask first. */
const CONSOLE_HEADER = "x-hotbags-console";

/** A name and a port, and nothing else: what is compared is what was sent. */
const HOST = /^([\w.-]+|\[::1\])(?::\d{1,5})?$/;

/**
 * Whether a request names this machine. A page anywhere on the web can make its own name point to 127.0.0.1 (DNS
 * rebinding), and its browser takes the console for that page's own then; but it still says the page's name. The port is
 * not looked at: a tunnel may have another one at its other end. `origin`: by which a reverse proxy is asked. Throws
 * OperatorError with 421.
 */
export function checkHost({ headers: { host = "" } }: IncomingMessage, origin: URL | null): void {
  const name = HOST.exec(host.toLowerCase())?.[1];
  if (name !== undefined && (isLoopback(name) || host.toLowerCase() === origin?.host)) return;
  const besides = origin === null ? ", for BRIDGE_CONSOLE_ORIGIN is not set" : ` and ${origin.host}`;
  throw new OperatorError(421, `the console is not known by that name: only by 127.0.0.1 and localhost${besides}`);
}

/**
 * Whether a request comes from the console's own page. What another page of the same browser sends has that page's
 * origin, or says that it comes from elsewhere; the cookie alone proves nothing, since it goes along from every port of
 * 127.0.0.1. Throws OperatorError with 403.
 */
export function checkOrigin({ headers, method }: IncomingMessage, origin: URL | null): void {
  const changes = method !== "GET" && method !== "HEAD";
  const { origin: from, host = "", "sec-fetch-site": site = "same-origin" } = headers;
  const isOwn = from === undefined ? !changes : from === origin?.origin || from === `http://${host.toLowerCase()}`;
  if (!isOwn || (site !== "same-origin" && site !== "none"))
    throw new OperatorError(403, "this comes from another page: only the console's own may ask");
  if (changes && headers[CONSOLE_HEADER] !== "1")
    throw new OperatorError(403, "the header X-Hotbags-Console: 1 is missing");
}

/** Whether the page that asks came over https. To be asked once its origin is known to be the console's. */
export function isHttps({ headers: { origin = "" } }: IncomingMessage): boolean {
  return origin.startsWith("https://");
}
