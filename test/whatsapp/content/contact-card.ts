import type { proto } from "baileys";
import { type Content, type Context, contextInfo } from "./content.ts";

/** A person of the sender's address book. */
export interface Card {
  readonly name: string;
  /** As the address book has them: `+1 555 000 2001`. */
  readonly phones: readonly string[];
}

/** A contact card; several in one message if several are given, as phones send them. */
export function contactCard(cards: Card | readonly Card[], context: Context = {}): Content {
  const contacts = [cards].flat().map(contactMessage);
  const info = contextInfo(context);
  const extra = info && { contextInfo: info };
  const [only, ...more] = contacts;
  if (only !== undefined && more.length === 0) {
    return { message: { contactMessage: { ...only, ...extra } }, type: "media", mediaType: "vcard", text: "" };
  }
  const contactsArrayMessage = { displayName: `${contacts.length} contacts`, contacts, ...extra };
  return { message: { contactsArrayMessage }, type: "media", mediaType: "contact_array", text: "" };
}

/** The vCard as an Android phone writes it. */
function contactMessage({ name, phones }: Card): proto.Message.IContactMessage {
  const tel = phones.map((phone) => `TEL;type=CELL;waid=${phone.replace(/\D/g, "")}:${phone}`);
  const vcard = ["BEGIN:VCARD", "VERSION:3.0", `N:;${name};;;`, `FN:${name}`, ...tel, "END:VCARD"].join("\n");
  return { displayName: name, vcard };
}
