/**
 * The wait that a `Retry-After` header asks for, ms: seconds or an HTTP date (RFC 9110, 10.2.3), never negative and never more than `maxMs`.
 * `undefined` for a missing or unreadable header.
 */
export function retryAfterMs(header: string | undefined, nowMs: number, maxMs: number): number | undefined {
  const value = header?.trim();
  if (!value) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  if (Number.isNaN(wait)) return undefined;
  return Math.min(Math.max(wait, 0), maxMs);
}
