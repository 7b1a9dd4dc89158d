/** Of a longer text a failure shows this much. */
const SHOWN_CHARACTERS = 60;

/** A text for the message of an error, in quotes: one file in base64 would fill a screen, and hide what went wrong. */
export function excerpt(text: string): string {
  if (text.length <= SHOWN_CHARACTERS) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}… (${text.length} characters)`;
}
