/**
 * OpenClaw takes the text of a `send` for what a model wrote: it obeys directives in it (`NO_REPLY` sends nothing, `MEDIA:` attaches a file or
 * fetches a URL), removes what looks like reasoning, tool calls or HTML, and turns Markdown into WhatsApp's marks, so that `*bold*` comes
 * out as `_bold_`. No setting and no parameter of `send` turns that off. But Markdown comes last, and a character reference (`&#42;`) is
 * Markdown for a character that means nothing: what is written with references is seen by none of those steps and arrives as it was.
 */
export function literal(text: string): string {
  let begun = false;
  return text.replace(NAMEABLE, (found, words: string | undefined, at: number) => {
    // The first one is always a reference: what OpenClaw takes out by its words, such as `No channel reply`, it knows by its beginning.
    if (begun && (words !== undefined || isPlain(found, text[at - 1] ?? " ", text[at + 1] ?? " "))) return found;
    begun = true;
    const reference = `&#${found.codePointAt(0)};`;
    if (words !== undefined) return reference + words.slice(1);
    // `||…||` would be a spoiler even out of references, and lose its bars; an empty link between two bars keeps them apart and is not shown.
    return found === "|" && text[at - 1] === "|" ? `[]()${reference}` : reference;
  });
}

/** What OpenClaw quotes of a literal text, as that was written. */
export function asWritten(quoted: string): string {
  return quoted.replaceAll("[]()", "").replace(/&#(\d{1,7});/g, (reference, code) => {
    const point = Number(code);
    return point <= 0x10_ffff ? String.fromCodePoint(point) : reference;
  });
}

/**
 * All that a reference may name (CommonMark 2.5, markdown-it isValidEntityCode). The rest goes as it is: control characters, and private
 * ones too, since OpenClaw takes for placeholders the first of those that it does not see in the text. Words of plain letters are found as one,
 * which is four times as fast: `isPlain` is true of each of their characters.
 */
const NAMEABLE =
  /((?<![\ue000-\uf8ff])[\dA-Za-z]+(?: [\dA-Za-z]+)*)|[\t\n\f\r]|[^\p{Cc}\p{Noncharacter_Code_Point}\p{Co}\p{Cs}]/gu;

/** Letters, digits, marks, and punctuation that means nothing inside of a line: most of a text stays legible where OpenClaw shows it. */
const PLAIN = /[\p{L}\p{N}\p{M},.!?'()/@%-]/u;

function isPlain(character: string, before: string, after: string): boolean {
  if (character === " ") return /\S/.test(before) && /\S/.test(after);
  // A private character and then `cite` would be one of OpenClaw's citation marks, which it takes out.
  return PLAIN.test(character) && !/[\ue000-\uf8ff]/.test(before);
}
