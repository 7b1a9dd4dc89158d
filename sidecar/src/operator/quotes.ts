import { maskedLine } from "@hotbags/shared";

/** So many characters in a row are no chance: fewer of a text stand in many sentences. */
const QUOTE_LENGTH = 12;

/** What somebody said, without what it has of these texts. `said`: a reason, on one line with numbers masked. */
export function withoutQuotes(said: string, texts: readonly string[]): string {
  return texts.reduce((left, text) => withoutQuote(left, maskedLine(text).trim().toLowerCase()), said);
}

function withoutQuote(said: string, text: string): string {
  if (text === "") return said;
  const length = Math.min(QUOTE_LENGTH, text.length);
  const lower = said.toLowerCase();
  let left = "";
  for (let at = 0; at < said.length; ) {
    let end = at + length;
    if (end > said.length || !text.includes(lower.slice(at, end))) {
      left += said[at];
      at += 1;
      continue;
    }
    while (end < said.length && text.includes(lower.slice(at, end + 1))) end += 1;
    left += "…";
    at = end;
  }
  return left;
}
