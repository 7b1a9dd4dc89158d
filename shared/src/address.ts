import * as z from "zod";

/** A phone number in E.164: `+` and 7 to 15 digits. */
export const e164 = z.string().regex(/^\+[1-9]\d{6,14}$/, "must be a phone number in E.164, such as +15550001");

/** A WhatsApp group: `<digits or digits-digits>@g.us`. */
export const groupId = z
  .string()
  .regex(/^[\d-]{5,40}@g\.us$/, "must be a WhatsApp group id, such as 120363000000000001@g.us");

/** Where a conversation takes place: a person's number or a group. LIDs are neither: OpenClaw turns them into wrong numbers. */
export const chatId = z.union([e164, groupId], "must be an E.164 number or a ...@g.us group");

/** OpenClaw's name for one WhatsApp account on the gateway. */
export const accountId = z
  .string()
  .regex(/^[\w.-]{1,64}$/, "must be 1 to 64 letters, digits, dots, dashes or underscores");

/** The `transport_session_id` of an account: stable over restarts and relinking. */
export function transportSessionId(account: string): string {
  return `whatsapp:${account}`;
}

/** An address as it may appear in logs: `+1555…01`, `1203…@g.us`. Anything too short to mask becomes `…`. */
export function maskAddress(address: string): string {
  const group = address.endsWith("@g.us");
  const digits = group ? address.slice(0, -"@g.us".length) : address;
  if (digits.length < 8) return "…";
  return group ? `${digits.slice(0, 4)}…${digits.slice(-2)}@g.us` : `${digits.slice(0, 5)}…${digits.slice(-2)}`;
}
