/** As the sidecar takes one: a group, or `+` and 7 to 15 digits, of which the first is no 0. */
const NUMBER = /^(\+[1-9]\d{6,14}|[\d-]{5,40}@g\.us)$/;

/**
 * A number as people write it, as the sidecar has it: without what stands between its digits, and with a plus in the place
 * of the two zeros that are dialled.
 */
export function numberOf(written: string): string {
  const text = written.trim();
  if (text === "" || text.includes("@")) return text;
  return `+${text.replaceAll(/\D/g, "").replace(/^00/, "")}`;
}

/** Whether there can be such a number: one that begins as within its country has none. */
export function isNumber(number: string): boolean {
  return NUMBER.test(number);
}
