/** The lines won't do. The message says which line and why, never what it holds. */
export class ExtraHeadersError extends Error {
  override readonly name = "ExtraHeadersError";
}

/** A name that HTTP takes (RFC 9110, 5.6.2). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/** Visible ASCII, blanks and tabs inside: nothing that could begin another header. */
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]{0,8190}[\x21-\x7e])?$/;

/** The contract's own, and those by which a connection would be read otherwise. */
const TAKEN =
  /^(authorization|(x-)?idempotency-key|x-transport-session-id|x-hotbags-.*|webhook-(id|timestamp|signature)|content-.*|accept-encoding|user-agent|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|proxy-.*)$/;

/**
 * Headers to send along with each request, one `Name: value` a line; empty lines and those that begin with # are left
 * out. Names come back in lower case. Throws ExtraHeadersError.
 */
export function parseExtraHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    const where = `line ${index + 1}`;
    if (!NAME.test(name)) throw new ExtraHeadersError(`${where} must be "Name: value"`);
    if (!VALUE.test(value)) throw new ExtraHeadersError(`${where}: the value must be visible ASCII`);
    if (TAKEN.test(name)) throw new ExtraHeadersError(`${where}: the bridge sets this header itself`);
    if (name in headers) throw new ExtraHeadersError(`${where}: the header is there twice`);
    headers[name] = value;
  }
  return headers;
}
