import type { Readable } from "node:stream";

/** What is read of it, bytes, and for how long, ms. */
const MAX_BYTES = 16 * 1024;
const MAX_MS = 1_000;

/** What is shown of it. */
const MAX_CHARACTERS = 200;

/**
 * The beginning of what a backend says beside a failure, on one line and without `secrets`: its developer's own words,
 * mostly, for the one who looks for what is wrong. Null where that is nothing, or a web page. Never rejects.
 */
export async function readSaid(body: Readable, secrets: readonly string[]): Promise<string | null> {
  const timer = setTimeout(() => body.destroy(), MAX_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_BYTES) break;
    }
  } catch {
    // What came until then will do.
  } finally {
    clearTimeout(timer);
  }
  const text = Buffer.concat(chunks).toString().trim();
  if (/^<(!doctype|html)\b/i.test(text)) return null;
  const safe = secrets.reduce((said, secret) => said.replaceAll(secret, "…"), text).replace(/\s+/g, " ");
  return safe.length > MAX_CHARACTERS ? `${safe.slice(0, MAX_CHARACTERS).toWellFormed()}…` : safe || null;
}
