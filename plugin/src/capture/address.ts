/**
 * OpenClaw's spellings of a person's or a group's address, brought to the contract's: E.164 or `...@g.us`. Undefined
 * for everything else; a LID (`...@lid`) above all, which is not a phone number although it looks like one.
 */
export function normalizeAddress(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const address = value.trim().replace(/^whatsapp:/i, "");
  if (/^[\d-]{5,40}@g\.us$/.test(address)) return address;
  const digits = /^\+?([1-9]\d{6,14})(?:(?::\d+)?@s\.whatsapp\.net)?$/.exec(address)?.[1];
  return digits === undefined ? undefined : `+${digits}`;
}
