import type { Content } from "./content.ts";

/** A message that disappears after a while, wrapped as older phones do; newer ones only set `expiresInSeconds` (see `Context`). */
export function disappearing(content: Content): Content {
  return { ...content, message: { ephemeralMessage: { message: content.message } } };
}
