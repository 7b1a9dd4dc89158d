import { jidNormalizedUser } from "baileys";

/** The two addresses of one WhatsApp user, both without a device. */
export interface Addresses {
  /** E.164, such as `+15550001`. */
  readonly number: string;
  /** By phone number: `15550001@s.whatsapp.net`. */
  readonly pn: string;
  /** By LID, the number-less identity that WhatsApp uses on the wire today: `100000015550001@lid`. */
  readonly lid: string;
}

/** @throws Error when the number isn't E.164. */
export function addressesOf(number: string): Addresses {
  const digits = /^\+([1-9]\d{4,14})$/.exec(number)?.[1];
  if (!digits) throw new Error(`${number} is no phone number in E.164 (+15550001)`);
  return { number, pn: `${digits}@s.whatsapp.net`, lid: `1${digits.padStart(14, "0")}@lid` };
}

/** The same user's address with a device: `15550001:1@s.whatsapp.net`. */
export function withDevice(user: string, device: number): string {
  return user.replace("@", `:${device}@`);
}

/** A user's or group's address without a device. */
export function withoutDevice(jid: string): string {
  return jidNormalizedUser(jid);
}

export function isGroup(jid: string): boolean {
  return jid.endsWith("@g.us");
}
