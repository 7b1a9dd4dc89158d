import { codeOf } from "@hotbags/shared";
import { errors } from "undici";
import { FileLostError } from "../store/index.ts";
import { type Symptom, withoutAnswer } from "./symptom.ts";

/** Nothing has left this machine, whatever the message is. */
const UNREACHABLE = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "EHOSTDOWN"],
  ...["EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT"],
]);

/** No socket could be made, here: of this process, or of the whole machine. */
const OUT_OF_DESCRIPTORS = new Set(["EMFILE", "ENFILE"]);

/** Of the signal, and of undici. */
const TIMEOUTS = new Set(["TimeoutError", "HeadersTimeoutError"]);

/** What Node says of a certificate that it does not take, or of a port that speaks no TLS. */
const TLS = /CERT|^UNABLE_TO_|^ERR_TLS_|^ERR_SSL_|^EPROTO$|SIGNATURE/;

/** What undici says of a 100 Continue, over which it ends the connection (nodejs/undici#197; client-h1.js). */
const UNASKED_CONTINUE = "bad response";

/** Most headers of an answer, bytes. Node's own limit, unless somebody starts it with another. */
export const MAX_HEADERS_BYTES = 16 * 1024;

/** The request that an error ended. */
interface Cut {
  /** An answer had begun. */
  hasBegun: boolean;
  timeoutMs: number;
  url: URL;
}

/** What an error of the connection tells, by its code alone: its message can hold what was on the wire. */
export function ofError(error: unknown, { hasBegun, timeoutMs, url }: Cut): Symptom {
  const there = (...[trouble, seen]: [Parameters<typeof withoutAnswer>[0], string]) =>
    withoutAnswer(trouble, seen, url);
  if (error instanceof Error && TIMEOUTS.has(error.name))
    return there("timeout", `Hot Bags did not answer within ${timeoutMs} ms`);
  // It was there a moment ago: the next attempt finds it missing, and says so in the body.
  if (error instanceof FileLostError) return there("file", "a file of the message can't be read");
  const code = codeOf(error) || "unknown error";
  if (code === "UND_ERR_SOCKET" && error instanceof Error && error.message === UNASKED_CONTINUE)
    return there("continue", "Hot Bags, or a proxy in front of it, sent 100 Continue unasked, which can't be read");
  if (OUT_OF_DESCRIPTORS.has(code))
    return there("descriptors", `no connection to Hot Bags can be made: no file descriptor is left here (${code})`);
  if (UNREACHABLE.has(code)) return there("unreachable", `Hot Bags can't be reached (${code})`);
  if (error instanceof errors.HTTPParserError && !hasBegun)
    return there("not-http", "what came back from Hot Bags' address is not HTTP");
  if (error instanceof errors.HeadersOverflowError)
    return there("headers", `Hot Bags answered with more than ${MAX_HEADERS_BYTES / 1024} KiB of headers`);
  if (TLS.test(code)) return there("tls", `no encrypted connection to Hot Bags comes about (${code})`);
  return there("broken", `the connection to Hot Bags broke before the end of the answer (${code})`);
}
