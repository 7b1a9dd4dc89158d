import { createHash } from "node:crypto";
import { maskAddress } from "./address.ts";

/**
 * What is shown in logs, `/health` and alerts of the strings that others choose: of a word, what looks like one of its
 * kind. Whatever else stands in its place can be a customer's number or words.
 */

/** A phone number with its plus, or WhatsApp's address of a person or group, inside of an id. */
const NUMBER = /\+[1-9]\d{6,14}|\d[\d-]{4,39}(?::\d+)?@[a-z.]+/g;

/** An id as programs make them. */
const ID = /^[\x21-\x7e]{1,256}$/;

/** As programs count their versions: `2026.9.6`, `1.0.0-beta.2`. */
const VERSION = /^\d{1,5}(\.\d{1,5}){0,3}([-+.](\d{1,5}|[a-z]{1,12}\d{0,5})){0,4}$/;

/** A name as programs give them to kinds of things: `send_text`, `operator.write`, `AUTH_TOKEN_MISMATCH`. */
const NAME = /^[a-z]{1,24}([._-][a-z]{1,24}){0,5}$/i;

/** The id as it is, with numbers in it masked. One that has blanks, or anything that is not ASCII, is shown by a hash. */
export function shownId(id: string): string {
  if (!ID.test(id)) return `#${createHash("sha256").update(id).digest("hex").slice(0, 16)}`;
  return id.replace(NUMBER, (found) => maskAddress(found.endsWith("@g.us") ? found : found.replace(/[:@].*$/, "")));
}

/** The version, or "unknown". */
export function shownVersion(version: string): string {
  return VERSION.test(version) ? version : "unknown";
}

/** The name, or that it is none that can be shown. */
export function shownName(name: string): string {
  return NAME.test(name) ? name : "(not shown)";
}
