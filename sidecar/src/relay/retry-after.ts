const SECONDS = /^\d{1,15}$/;
const TIME = String.raw`\d{2}:\d{2}:\d{2}`;
/** The three forms of an HTTP date (RFC 9110, 5.6.7); all are in GMT, and only the first two say so. */
const IMF_FIXDATE = new RegExp(`^[A-Z][a-z]{2}, \\d{2} [A-Z][a-z]{2} \\d{4} ${TIME} GMT$`);
const RFC_850 = new RegExp(`^[A-Z][a-z]{5,8}, \\d{2}-[A-Z][a-z]{2}-\\d{2} ${TIME} GMT$`);
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \\d]\\d ${TIME} \\d{4}$`);

/**
 * The wait that a `Retry-After` header asks for, ms: whole seconds or an HTTP date (RFC 9110, 10.2.3), never negative
 * and never more than `maxMs`. `undefined` for a missing header and for anything else: `Date.parse` alone takes `1.5`
 * for a day in 2001. It is a lower bound: nobody waits less for it than without it.
 */
export function retryAfterMs(header: string | undefined, nowMs: number, maxMs: number): number | undefined {
  const value = header?.trim() ?? "";
  const wait = SECONDS.test(value) ? Number(value) * 1000 : dateIn(value) - nowMs;
  if (Number.isNaN(wait)) return undefined;
  return Math.min(Math.max(wait, 0), maxMs);
}

function dateIn(value: string): number {
  if (IMF_FIXDATE.test(value) || RFC_850.test(value)) return Date.parse(value);
  return ASCTIME.test(value) ? Date.parse(`${value} GMT`) : Number.NaN;
}
