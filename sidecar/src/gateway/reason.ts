import { maskAddress } from "@hotbags/shared";

const MAX_REASON_CHARS = 300;

/** Group ids, jids and phone numbers, as they turn up in OpenClaw's error texts. */
const ADDRESS = /\+?\d[\d-]{6,39}(?:@[a-z.]+)?/g;

/** Another program's error text, fit for logs and reports: one line, bounded, addresses masked. */
export function safeReason(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(ADDRESS, (address) => maskAddress(address.endsWith("@g.us") ? address : address.replace(/@.*$/, "")))
    .slice(0, MAX_REASON_CHARS);
}

export function reasonOf(error: unknown): string {
  return safeReason(error instanceof Error ? error.message : String(error));
}
