import type { Account } from "./account.ts";
import type { Contact } from "./contact.ts";
import type { Group } from "./group.ts";
import { withoutDevice } from "./jid.ts";

/** Everybody the server knows, by address. */
export class Directory {
  readonly accounts = new Map<string, Account>();
  readonly groups = new Map<string, Group>();
  readonly contacts = new Map<string, Contact>();
  readonly #contactByJid = new Map<string, Contact>();

  addContact(contact: Contact): void {
    this.contacts.set(contact.number, contact);
    this.#contactByJid.set(contact.addresses.pn, contact);
    this.#contactByJid.set(contact.addresses.lid, contact);
  }

  contactAt(jid: string): Contact | undefined {
    return this.#contactByJid.get(withoutDevice(jid));
  }

  /** The account that owns an address, by number or LID. */
  accountAt(jid: string): Account | undefined {
    return this.accounts.values().find((account) => account.owns(jid));
  }
}
