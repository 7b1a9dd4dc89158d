const REPLACEMENT = "\ufffd";

/** The only characters of a JavaScript string that no Postgres text or jsonb takes: NUL and half a pair of surrogates. */
const ESCAPED = /\\u(?:0000|d[89a-f][0-9a-f]{2})/;
/** The same, each with the backslash that is its own: in `\\u0000` it belongs to the one before it. */
const ESCAPES = /\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g;

/** The text with U+FFFD in the place of NUL and of half a pair of surrogates. */
export function storableText(text: string): string {
  return text.replaceAll("\0", REPLACEMENT).toWellFormed();
}

/** The same for all strings and names in a JSON text that `JSON.stringify` wrote: it escapes just these. */
export function storableJson(json: string): string {
  // Hardly ever there: most texts cost one look.
  if (!ESCAPED.test(json)) return json;
  return json.replace(ESCAPES, (found) => (ESCAPED.test(found) ? REPLACEMENT : found));
}
