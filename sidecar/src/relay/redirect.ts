import { safeReason } from "@hotbags/shared";

/** Longest part of a foreign address that is repeated, characters. */
const MAX_SHOWN = 120;

/** Part of a path that is repeated: an order's number, a token or somebody's words are none. */
const PLAIN_PART = /^(?!.*\d{5})[\w.~-]{0,40}$/;

/**
 * What to do about a redirect from `from` to `to`: names where it leads (host and path, never a query, which can hold
 * a secret), and which setting mends it.
 */
export function adviceForRedirect(from: URL, to: URL | null): string {
  if (to === null) return "it names no address; look at what stands before Hot Bags";
  const place = `it leads to ${`${shownHost(to.host)}${shownPath(to)}`.slice(0, MAX_SHOWN)}`;
  if (withoutSlash(to) !== withoutSlash(from)) return `${place}, another page: ${SETTINGS}`;
  const isSlash = to.pathname !== from.pathname;
  const [isScheme, isHost] = [to.protocol !== from.protocol, to.hostname !== from.hostname];
  const base = `let HOTBAGS_BASE_URL begin with ${to.protocol}//${shownHost(to.host)}`;
  if (isHost && withoutWww(to) === withoutWww(from)) return `${place}, with or without www: ${base}`;
  if (isHost) return `${place}, another host: ${SETTINGS}`;
  if (isScheme) return `${place}, from ${from.protocol}// to ${to.protocol}//: ${base}`;
  if (isSlash) return `${place}, the same with ${slashOf(to)} slash at its end: set HOTBAGS_INBOUND_PATH so`;
  return `${place}, where it comes from: a loop; look at what stands before Hot Bags`;
}

const SETTINGS = "set HOTBAGS_BASE_URL and HOTBAGS_INBOUND_PATH to where Hot Bags is";

const shownHost = (host: string) => safeReason(host.slice(0, MAX_SHOWN));
const shownPath = ({ pathname }: URL) =>
  pathname
    .split("/")
    .map((part) => (PLAIN_PART.test(part) ? part : "…"))
    .join("/");
const withoutSlash = ({ pathname }: URL) => pathname.replace(/\/+$/, "");
const withoutWww = ({ hostname }: URL) => hostname.replace(/^www\./, "");
const slashOf = ({ pathname }: URL) => (pathname.endsWith("/") ? "a" : "no");
