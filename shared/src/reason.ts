import { maskAddress } from "./address.ts";

const MAX_REASON_CHARS = 300;

/** Group ids, jids and phone numbers, as they turn up in error texts. */
const ADDRESS = /\+?\d[\d-]{6,39}(?:@[a-z.]+)?/g;

/** Another program's error text, fit for logs and reports: one line of at most 300 characters, numbers masked. */
export function safeReason(text: string): string {
  return maskedLine(text).slice(0, MAX_REASON_CHARS);
}

/** A text as it stands in a reason that quotes it: on one line, numbers masked. */
export function maskedLine(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(ADDRESS, (address) => maskAddress(address.endsWith("@g.us") ? address : address.replace(/@.*$/, "")));
}

/**
 * What an exception says, the same way. JSON.parse quotes what it could not read, which can be a customer's text: its
 * name alone.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return error.name;
  return safeReason(error instanceof Error ? error.message : String(error));
}
