import { createHash } from "node:crypto";

/** Longest id, in UTF-16 units. */
export const MAX_ID_LENGTH = 256;

/** So much of an id that can't be a key is kept of it, for those who read it. */
const KEPT_LENGTH = 64;

/**
 * The key of an id: the id itself, but for one that is too long, or has half a pair of surrogates. UTF-8 has no such
 * thing, so that a database, a log and the wire make U+FFFD of each, and two ids would be one key. Of these it is what
 * can be kept, and a hash of the rest. The key of a key is the key.
 */
export function keyOfId(id: string): string {
  if (id.isWellFormed() && id.length <= MAX_ID_LENGTH) return id;
  const hash = createHash("sha256").update(Buffer.from(id, "utf16le")).digest("hex").slice(0, 32);
  return `${id.slice(0, KEPT_LENGTH).toWellFormed()}#${hash}`;
}
